//! The backend against a real Synapse in a temp folder. Skips itself, saying so, where Synapse is not installed.

mod conversation;
mod encryption;
mod person;
mod synapse;
