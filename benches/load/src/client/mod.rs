//! The clients: many sockets in one thread, quick enough that one core of them keeps one core of a server busy.
//!
//! No task, no timer and no buffer belongs to a socket. Frames are built once and sent by everybody; what comes back is
//! counted, and looked into only where a work asks for it.

mod crowd;
mod frames;
mod http2;
mod pusher;
mod socket;
mod swarm;
mod tls;

pub(crate) use crowd::{Entrance, Purpose, is_close, must_be_open, watch};
pub(crate) use frames::{Message, TEXT, frame};
pub(crate) use http2::{Http2, fields};
pub(crate) use pusher::Pusher;
pub(crate) use socket::{Path, Stage};
pub(crate) use swarm::Swarm;
pub(crate) use tls::{Group, settings, settings_for_any};
