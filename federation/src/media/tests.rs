//! Multipart.
