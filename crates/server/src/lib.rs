//! Wardwire's server: everything that touches a socket, a file or the clock.
//!
//! The way of a connection: [`listen`] accepts, [`tls`] agrees keys, [`http`] reads one strictly checked request after
//! another, the handshake hands it to admission, and after `101` a [`shard`] drives its [`session`].

pub mod acme;
pub mod admin;
pub mod audit;
pub mod bearer;
pub mod cli;
pub mod config;
pub(crate) mod demo;
pub mod handshake;
pub mod http;
pub mod http2;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod outbound;
mod proxied;
mod recheck;
pub mod redirect;
pub mod reload;
mod revocations;
pub mod server;
pub mod service;
pub mod session;
pub mod shard;
pub mod tls;
