//! Channels: who may do what in them, what is kept, and how a publication reaches everybody who follows.

pub mod outbox;
