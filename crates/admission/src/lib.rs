//! Admission: what must hold before a `101` is written.
//!
//! Cheap, anonymous questions come first and network calls last, so that a stranger can never make the gate work hard.
//! This crate does no I/O of its own: it reaches out through [`fetch::Fetch`] and tells time by [`clock::Clock`].

pub mod admit;
pub mod caps;
pub mod certificate;
pub mod clock;
pub mod credential;
pub mod fetch;
pub mod fields;
pub mod gate;
pub mod head;
pub mod host;
pub mod lease;
pub mod oidc;
pub mod origin;
pub mod presented;
pub mod principal;
pub mod proxy;
pub mod recheck;
pub mod refusal;
pub mod revocation;
pub mod route;
pub mod rules;
pub mod secret;
pub mod session;
mod sync;
pub mod ticket;
pub mod token;
