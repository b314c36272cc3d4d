//! What one peer may make a connection hold, and for how long.

use std::time::Duration;

/// The limits of a connection; shared by all of one route.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest message, in bytes. Over it: 1009.
    pub message: usize,
    /// The largest frame, in bytes. Over it: 1009.
    pub frame: usize,
    /// The most continuation frames of one message, empty ones too. Over it: 1008 `fragments`.
    pub fragments: u32,
    /// The longest time from a message's first byte to its last. Over it: 1008 `slow-message`.
    pub message_time: Duration,
    /// How long a peer may be silent before it is pinged.
    pub ping_every: Duration,
    /// How long it may then stay silent before it is dropped: 3008 `idle`.
    pub pong_within: Duration,
    /// How long it may take to answer our Close before it is dropped.
    pub close_within: Duration,
    /// The most control frames in [`Self::CONTROL_WINDOW`]. Over it: 1008 `flood`.
    pub control_frames: u32,
}

impl Limits {
    /// The span in which control frames are counted.
    pub const CONTROL_WINDOW: Duration = Duration::from_secs(10);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 64 * 1024,
            frame: 64 * 1024,
            fragments: 64,
            message_time: Duration::from_secs(10),
            ping_every: Duration::from_secs(25),
            pong_within: Duration::from_secs(20),
            close_within: Duration::from_secs(5),
            control_frames: 100,
        }
    }
}
