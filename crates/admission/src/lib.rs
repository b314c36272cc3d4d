//! Admission: what must hold before a `101` is written.
//!
//! Cheap, anonymous questions come first and network calls last, so that a stranger can never make the gate work hard.
//! This crate does no I/O of its own: it reaches out through [`fetch::Fetch`] and tells time by [`clock::Clock`].

pub mod clock;
pub mod fetch;
pub mod principal;
pub mod refusal;
