//! The client on the fake backend (keys in, requests and screens out), and the real binary in a pty.

mod common;
mod keys;
mod screens;
mod terminal;
