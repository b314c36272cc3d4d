//! The WebSocket protocol (RFC 6455, RFC 7692) and what `wardwire.v1` says over it, pure: no I/O, no clock, no async.
//!
//! Bytes come in, actions go out. What a peer may make this crate hold or compute is bounded by [`connection::Limits`].
//! Nothing here knows who a peer is; the layers above do.

pub mod channel;
pub mod close;
pub mod connection;
pub mod deflate;
pub mod frame;
pub mod handshake;
pub mod json;
mod mask;
pub mod message;
pub mod rpc;
mod utf8;
