//! The client as a person meets it, subject by subject: the real `tern` in a terminal, a real server, and what the other person gets
//! of it.

#[path = "../end_to_end/people.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which need more of it")]
mod people;

mod accounts;
mod albums;
mod alone;
mod clipboard;
mod conversation;
mod drafts;
mod entrance;
mod files;
mod finding;
mod formatted;
mod garden;
mod invitations;
mod keyboard;
mod link_previews;
mod list;
mod persons;
mod pictures;
mod profiles;
mod rooms;
mod socket;
mod terminal;
mod text;
mod tmux;
mod trust;
mod undecryptable;
mod ways;
mod writing;
