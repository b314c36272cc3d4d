//! From a message to what a peer inflates (RFC 7692 §7.2.1).

use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{Level, Window, longest};

/// One loop's means to deflate: a compressor for each level and window that its sockets agreed on, and a buffer.
///
/// A compressor takes about 300 KiB, and there are three windows to a level.
#[derive(Debug, Default)]
pub struct Deflater {
    pub(super) compressors: Vec<(Level, Window, Compress)>,
    deflated: Vec<u8>,
}

/// What a flush ends with, and the receiver puts back.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

impl Deflater {
    /// Deflates a message. None if that does not make it shorter.
    pub(crate) fn deflate(
        &mut self,
        payload: &[u8],
        level: Level,
        window: Window,
    ) -> Option<&[u8]> {
        // Taken out and put back once its stream is flushed: zlib-rs does not forget, when it is reset, what it could not
        // write before, so one that was left in the middle is dropped.
        let known = |it: &(Level, Window, Compress)| (it.0, it.1) == (level, window);
        let mut compressor = match self.compressors.iter().position(known) {
            Some(place) => self.compressors.swap_remove(place).2,
            None => make(level, window),
        };
        let room = longest(payload.len());
        if self.deflated.len() < room {
            self.deflated.resize(room, 0);
        }
        let out = self.deflated.as_mut_slice();
        // A fan-out deflates for everybody, outside any socket's turn: a fault of the compressor's costs the compression.
        let flushed = catch_unwind(AssertUnwindSafe(|| {
            compressor.compress(payload, out, FlushCompress::Sync)
        }));
        let read = compressor.total_in() == payload.len() as u64;
        let written = usize::try_from(compressor.total_out()).unwrap_or(usize::MAX);
        if !(matches!(flushed, Ok(Ok(Status::Ok))) && read && written < self.deflated.len()) {
            return None;
        }
        compressor.reset();
        self.compressors.push((level, window, compressor));
        let deflated = self.deflated.get(..written)?.strip_suffix(&TAIL)?;
        (deflated.len() < payload.len()).then_some(deflated)
    }

    /// Lets go of a buffer that has grown beyond so many bytes.
    pub fn shrink(&mut self, keep: usize) {
        self.deflated.truncate(keep);
        self.deflated.shrink_to(keep);
    }
}

fn make(level: Level, window: Window) -> Compress {
    Compress::new_with_window_bits(Compression::new(u32::from(level.0)), false, window.0)
}
