//! The WebSocket protocol (RFC 6455), pure: no I/O, no clock, no async.
//!
//! Bytes come in, actions go out. What a peer may make this crate hold or compute is bounded by [`connection::Limits`].
//! Nothing here knows who a peer is or what a message means; the layers above do.

pub mod close;
pub mod connection;
pub mod frame;
pub mod handshake;
mod mask;
pub mod message;
mod utf8;
