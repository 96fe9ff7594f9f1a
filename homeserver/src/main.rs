//! `ternd`.

fn main() {}
