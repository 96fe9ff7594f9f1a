//! The terminal client as a library, so that tests drive what the `tern` binary runs.
//!
//! Input → action → pure update → effects → draw what changed. From bottom to top:
//! `theme · action · effect → state → update → widgets → screens → backend → app`.

pub mod action;
pub mod app;
pub mod backend;
pub mod effect;
pub mod fuzzy;
pub mod input;
pub mod keymap;
pub mod keys;
pub mod lock;
pub mod paint;
pub mod sanitize;
pub mod screens;
pub mod snapshot;
pub mod state;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod widgets;
pub mod wrap;
pub mod zone;
