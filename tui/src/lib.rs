//! The terminal client as a library, so that tests drive what the `tern` binary runs.
//!
//! Input → action → pure update → effects → draw what changed. From bottom to top:
//! `theme · action · effect → state → update → widgets → screens → backend → app`.

// The SDK's futures lie deeper inside each other than the compiler looks by itself.
#![recursion_limit = "256"]

pub mod action;
pub mod app;
pub mod backend;
pub mod bidi;
pub mod bindings;
pub mod browser;
pub mod cli;
pub mod clipboard;
pub mod decode;
pub mod editor;
pub mod effect;
pub mod fuzzy;
pub mod input;
pub mod keeper;
pub mod keymap;
pub mod keys;
pub mod letters;
pub mod links;
pub mod lock;
pub mod notify;
pub mod paint;
pub mod palette;
pub mod passcode;
pub mod pictures;
pub mod presets;
pub mod probe;
pub mod rich;
pub mod sanitize;
pub mod screens;
pub mod sealed;
pub mod settings;
pub mod snapshot;
pub mod state;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod widgets;
pub mod width;
pub mod wrap;
pub mod zone;
