//! Black-box tests: the real binary, over real sockets, as its users and its enemies see it.
//!
//! [`harness`] starts servers and speaks to them with its own encoders, so that a fault of the server's own cannot cancel
//! out. [`attacks`] has one test for each row of the catalogue of attacks, named after its number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod acme;
mod attacks;
mod audit;
mod backend;
mod channels;
mod compression;
mod configuration;
mod conflation;
mod delivery;
mod demo;
mod events;
mod expiry;
mod grants;
mod harness;
mod history;
mod http2;
mod identity;
mod latest;
mod network;
mod once;
mod operations;
mod presence;
mod protocol;
mod reload;
mod vectors;
