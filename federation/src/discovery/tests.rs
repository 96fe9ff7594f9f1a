//! Reading names.
