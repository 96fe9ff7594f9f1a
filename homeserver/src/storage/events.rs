//! Reading events. Writing them is `append`'s.

/// Breaks the authorization rules: never in the timeline, never in state. Sticky.
pub const REJECTED: i64 = 1;
/// Allowed by its own state but not by the room's current one: kept for the graph, not shown.
pub const SOFT_FAILED: i64 = 2;
/// Made by this server, so sent on to others.
pub const LOCAL: i64 = 4;
