//! SQLite's functions as libsqlite3-sys 0.37 has them, under the version that the SDK's store asks for: why is in `Cargo.toml`.

pub use mended::*;
