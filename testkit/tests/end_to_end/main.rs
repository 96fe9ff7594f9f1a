//! Everything together, as users and other servers meet it: real programs, real terminals, real TLS, real mail.

mod across;
mod bad_input;
mod crash;
mod evil_resident;
mod forks;
mod gaps;
mod history;
mod joins;
mod legacy;
mod mail;
mod mail_links;
mod media;
mod neighbours;
mod operator;
mod outsiders;
mod peer;
mod people;
mod reception;
mod replay;
mod strangers;
mod two_people;
mod ways_in;
mod with_nio;
mod with_synapse;
