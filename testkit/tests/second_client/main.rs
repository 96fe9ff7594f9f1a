//! `tern` beside another client, which is the test itself, on the SDK: the other one has a camera.

// The SDK's futures are nested deeply.
#![recursion_limit = "256"]

#[path = "../end_to_end/people.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests, which need more of it")]
mod people;

#[path = "../client/keyboard.rs"]
#[expect(dead_code, reason = "shared with the tests of the client, which need more of it")]
mod keyboard;

mod camera;
mod phone;
mod scanning;
