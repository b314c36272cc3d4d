//! From what a peer deflated to its message (RFC 7692 §7.2.2).

use flate2::{Decompress, FlushDecompress, Status};

/// One loop's means to inflate: a decompressor and a buffer for all of its sockets.
///
/// A message that comes whole is inflated into the buffer. One that comes in pieces takes the decompressor along until it
/// is whole, so that it is judged as it comes; should another come in pieces meanwhile, that one gets a new one.
/// INVARIANT: an output never has room for more than the message limit and one byte.
#[derive(Debug, Default)]
pub struct Inflater {
    idle: Option<Stream>,
    pub(super) inflated: Vec<u8>,
}

/// A message on its way through a decompressor. About 50 KiB: its window, and the codes of a block.
#[derive(Debug)]
pub(crate) struct Stream(Decompress);

/// What is wrong with a deflated message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No deflated data, or cut short.
    Data,
    /// It inflates to more than the limit.
    Size,
}

/// Room that is made for output at a time.
const CHUNK: usize = 16 * 1024;
/// What the sender took off the end, so that the last block is whole again.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// An empty last block. Behind a whole block it ends the stream, and behind anything else it does not.
const PROBE: [u8; 5] = [0x01, 0x00, 0x00, 0xFF, 0xFF];

impl Inflater {
    /// Inflates a message that came whole.
    pub(crate) fn whole(&mut self, payload: &[u8], limit: usize) -> Result<(), Broken> {
        self.inflated.clear();
        let mut stream = self.begin();
        stream.push(payload, &mut self.inflated, limit)?;
        stream.finish(&mut self.inflated, limit)?;
        self.end(stream);
        Ok(())
    }

    /// What [`Self::whole`] made of it.
    pub(crate) fn inflated(&self) -> &[u8] {
        &self.inflated
    }

    /// Begins a message that comes in pieces.
    pub(crate) fn begin(&mut self) -> Stream {
        let new = || Stream(Decompress::new(false));
        self.idle.take().unwrap_or_else(new)
    }

    /// Takes back, from a message that finished, what the next one begins with.
    pub(crate) fn end(&mut self, stream: Stream) {
        self.idle = Some(stream);
    }

    /// Lets go of a buffer that has grown beyond so many bytes.
    pub fn shrink(&mut self, keep: usize) {
        self.inflated.clear();
        self.inflated.shrink_to(keep);
    }
}

impl Stream {
    /// Inflates a piece behind what `out` holds.
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Broken> {
        self.inflate(piece, out, limit).map(drop)
    }

    /// Inflates what remains once all pieces have come. After that it is as good as new.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<(), Broken> {
        self.inflate(&TAIL, out, limit)?;
        match self.inflate(&PROBE, out, limit)? {
            true => Ok(()),
            false => Err(Broken::Data),
        }
    }

    /// True if a last block ended with the last byte of `input`.
    ///
    /// Room is made once for all that fits into it, not for each of the blocks that end: two bytes are one, and to clear
    /// a whole chunk for them would let a peer buy much time with few bytes.
    fn inflate(
        &mut self,
        mut input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<bool, Broken> {
        let mut held = out.len();
        let most = limit.saturating_add(1);
        loop {
            if held == out.len() {
                let length = most.min(held.saturating_add(CHUNK));
                grow(out, length, most);
            }
            let free = out.get_mut(held..).unwrap_or_default();
            let room = free.len();
            let (read, written, ended) = self.step(input, free)?;
            held += written;
            if held > limit {
                return Err(Broken::Size);
            }
            input = input.get(read..).unwrap_or_default();
            if ended {
                // The sender may end a block as if it were its last (§7.2.3.4). What follows is a new stream.
                self.0.reset(false);
            }
            if input.is_empty() && (ended || written < room) {
                out.truncate(held);
                return Ok(ended);
            }
            if read == 0 && written == 0 && !ended {
                return Err(Broken::Data);
            }
        }
    }

    /// Bytes read and written, and whether a last block ended.
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<(usize, usize, bool), Broken> {
        let (read, written) = (self.0.total_in(), self.0.total_out());
        let status = self
            .0
            .decompress(input, out, FlushDecompress::None)
            .map_err(|_| Broken::Data)?;
        let since = |now: u64, then: u64| usize::try_from(now - then).unwrap_or(usize::MAX);
        let read = since(self.0.total_in(), read);
        let written = since(self.0.total_out(), written);
        Ok((read, written, status == Status::StreamEnd))
    }
}

/// Makes an output so long. It grows by doubling, and never beyond `most`.
fn grow(out: &mut Vec<u8>, length: usize, most: usize) {
    if out.capacity() < length {
        let doubled = out.capacity().saturating_mul(2).min(most);
        out.reserve_exact(doubled.max(length) - out.len());
    }
    #[cfg(test)]
    CLEARED.set(CLEARED.get() + length - out.len());
    out.resize(length, 0);
}

#[cfg(test)]
thread_local! {
    /// Bytes that were cleared for output: what a test can see of time.
    pub(super) static CLEARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
