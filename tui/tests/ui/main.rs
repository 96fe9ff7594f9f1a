//! The client on the fake backend: keys in, requests and screens out.

mod common;
mod keys;
mod screens;
