//! A server of its own for each test, and clients that can misbehave.

mod authority;
mod balancer;
mod client;
pub(crate) mod deflate;
mod http2;
mod issuer;
mod keyserver;
mod load;
pub(crate) mod pebble;
pub(crate) mod raw_http2;
mod records;
mod server;
mod websocket;
mod wire;

pub(crate) use authority::{Authority, Client};
pub(crate) use balancer::{Balancer, Behind, documented, in_folder};
pub(crate) use client::{Connection, Handshake, Response, roots, tcp, tcp_from, tls};
pub(crate) use http2::{Http2, Over, Tunnel, over_http2, run_over_http2};
pub(crate) use issuer::{Issuer, Token, now};
pub(crate) use keyserver::{KeyServer, response};
pub(crate) use records::{DATA, FULL, HANDSHAKE, header};
pub(crate) use server::{PATIENCE, Server, Setup, secret};
pub(crate) use websocket::{Frame, Ws, frame};
pub(crate) use wire::{CLOSE_NOTIFY, Opening, Wire};

/// The page that the servers under test allow.
pub(crate) const ORIGIN: &str = "https://app.localhost";
