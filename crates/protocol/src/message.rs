//! Messages, as they are delivered and as they are sent.

use std::borrow::Cow;

use bytes::Bytes;

use crate::frame::{self, Opcode};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared(Bytes);

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
        &self.0
    }

    fn encode(opcode: Opcode, payload: &[u8]) -> Self {
        let mut out = Vec::new();
        frame::write(&mut out, opcode, true, None, payload);
        Self(out.into())
    }
}
