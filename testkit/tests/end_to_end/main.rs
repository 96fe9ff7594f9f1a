//! Everything together, as users and other servers meet it: real programs, real terminals, real TLS, real mail.

mod bad_input;
mod history;
mod mail;
mod operator;
mod mail_links;
mod peer;
mod people;
mod strangers;
mod two_people;
mod ways_in;
mod with_nio;
mod with_synapse;
