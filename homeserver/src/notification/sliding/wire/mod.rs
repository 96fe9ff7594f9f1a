//! Sliding sync as bytes: the deployed form and the stable one, each to and from what the engine works with.

pub mod deployed;
pub mod stable;
