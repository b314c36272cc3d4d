//! One test for each way to be unsafe.

use super::*;

mod channels;
mod development;
mod issuer;
mod limits;
mod operators;
mod routes;
mod server;
