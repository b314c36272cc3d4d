//! Messages, as they are delivered and as they are sent.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    deflate::{Deflater, Encoding, Level, Window},
    frame::{self, Opcode},
};

/// A whole message. Borrowed from the read buffer where it came in one piece, owned where it had to be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text: UTF-8, checked.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
}

impl Message<'_> {
    /// The payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn opcode(&self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
        }
    }
}

/// One server frame, encoded once for everybody who gets it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Prepared(Arc<Encoded>);

#[derive(Debug)]
struct Encoded {
    opcode: Opcode,
    frame: Vec<u8>,
    /// Where the payload begins.
    payload: usize,
    /// The same deflated, for those who agreed on that.
    ///
    /// INVARIANT: the lock is held to look and to push, never to deflate.
    deflated: Mutex<Vec<Deflated>>,
}

/// None where it came out no shorter.
type Deflated = (Level, Window, Option<Prepared>);

impl Prepared {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::encode(Opcode::Text, text.as_bytes())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self::encode(Opcode::Binary, bytes)
    }

    /// The frame, header and payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.frame
    }

    /// The frame for a peer with whom this encoding was agreed: deflated, if that is worth it.
    ///
    /// Who asks first deflates, and who asks later shares what came of it, whatever their loop. No loop waits for another:
    /// those that ask meanwhile deflate too, and share what was kept first.
    #[must_use]
    pub fn deflated(&self, encoding: Encoding, deflater: &mut Deflater) -> Self {
        let payload = self.0.frame.get(self.0.payload..).unwrap_or_default();
        let Encoding {
            window,
            level,
            threshold,
        } = encoding;
        if payload.len() < threshold {
            return self.clone();
        }
        let made = self.0.known(level, window).unwrap_or_else(|| {
            let made = deflater.deflate(payload, level, window);
            let made = made.map(|payload| Self::deflated_frame(self.0.opcode, payload));
            self.0.keep(level, window, made)
        });
        made.unwrap_or_else(|| self.clone())
    }

    fn encode(opcode: Opcode, payload: &[u8]) -> Self {
        let mut frame = Vec::new();
        frame::write(&mut frame, opcode, true, None, payload);
        Self::new(opcode, frame, payload.len())
    }

    fn deflated_frame(opcode: Opcode, payload: &[u8]) -> Self {
        let mut frame = Vec::new();
        frame::write_deflated(&mut frame, opcode, None, payload);
        Self::new(opcode, frame, payload.len())
    }

    fn new(opcode: Opcode, frame: Vec<u8>, length: usize) -> Self {
        Self(Arc::new(Encoded {
            opcode,
            payload: frame.len() - length,
            frame,
            deflated: Mutex::default(),
        }))
    }
}

impl Encoded {
    /// What deflating came to, if that is known.
    fn known(&self, level: Level, window: Window) -> Option<Option<Prepared>> {
        find(&self.lock(), level, window)
    }

    /// Keeps what deflating came to, and returns what is kept: another loop may have been quicker.
    fn keep(&self, level: Level, window: Window, made: Option<Prepared>) -> Option<Prepared> {
        let mut kept = self.lock();
        find(&kept, level, window).unwrap_or_else(|| {
            kept.push((level, window, made.clone()));
            made
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Deflated>> {
        self.deflated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(kept: &[Deflated], level: Level, window: Window) -> Option<Option<Prepared>> {
    let its = |it: &&Deflated| (it.0, it.1) == (level, window);
    kept.iter().find(its).map(|it| it.2.clone())
}
