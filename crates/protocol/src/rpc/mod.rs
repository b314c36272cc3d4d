//! JSON-RPC 2.0, as `wardwire.v1` speaks it: calls in ([`read()`]), answers and notifications out. What they
//! carry is in [`wire`].
//!
//! An `id` is a string or an integer. `null`, which the specification discourages (§4), and fractions are refused: nobody
//! could tell such an answer from one to something unreadable. Members that the specification does not know are passed over.

mod error;
mod optional;
mod params;
mod read;
pub mod wire;
mod write;

pub use error::RpcError;
pub use params::{Parameter, Parameters, params};
pub use read::{BATCH, Call, Entry, Incoming, Unreadable, read};
pub use write::{batch, error, notification, result};
