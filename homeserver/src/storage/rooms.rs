//! Reading rooms, memberships and snapshots.
