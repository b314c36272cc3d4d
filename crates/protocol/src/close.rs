//! How a connection ends: a code and a reason (RFC 6455 §7.4).

use std::borrow::Cow;

/// A close code that may stand on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose was fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of message that is not taken.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// Text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// Against the rules, in a way that no other code names.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message over the limit.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// A fault of ours.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// Come back later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// The proof of who this is has ended (registered).
    pub const UNAUTHORIZED: Self = Self(3000);
    /// Known, but not allowed (registered).
    pub const FORBIDDEN: Self = Self(3003);
    /// The peer was silent for too long (registered).
    pub const TIMEOUT: Self = Self(3008);

    /// A code that a peer may send: 1000 to 1003, 1007 to 1014, 3000 to 4999 (RFC 6455 §7.4, IANA's registry).
    #[must_use]
    pub fn from_wire(code: u16) -> Option<Self> {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(Self(code))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// The end of a connection, as one side states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Why. A Close frame without a body has no code.
    pub code: Option<CloseCode>,
    /// At most 123 bytes. Ours begin with a stable word of `spec/codes.toml`.
    pub reason: Cow<'static, str>,
}

/// A control frame carries 125 bytes at most, two of which are the code (RFC 6455 §5.5).
const REASON: usize = 123;

impl Close {
    /// A close of ours.
    #[must_use]
    pub const fn new(code: CloseCode, word: &'static str) -> Self {
        assert!(word.len() <= REASON, "a reason has at most 123 bytes");
        Self {
            code: Some(code),
            reason: Cow::Borrowed(word),
        }
    }

    /// Reads the body of a peer's Close frame.
    ///
    /// # Errors
    /// What to close with instead: 1002 for a cut or forbidden code, 1007 for a reason that is not UTF-8.
    pub fn from_payload(payload: &[u8]) -> Result<Self, Self> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() {
                Ok(Self {
                    code: None,
                    reason: Cow::Borrowed(""),
                })
            } else {
                Err(Self::new(CloseCode::PROTOCOL_ERROR, "close-body"))
            };
        };
        let code = CloseCode::from_wire(u16::from_be_bytes(*code))
            .ok_or(Self::new(CloseCode::PROTOCOL_ERROR, "close-code"))?;
        let reason = std::str::from_utf8(reason)
            .map_err(|_| Self::new(CloseCode::INVALID_PAYLOAD, "close-reason"))?;
        Ok(Self {
            code: Some(code),
            reason: Cow::Owned(reason.to_owned()),
        })
    }

    /// The code, or 1005 where the frame had none (RFC 6455 §7.1.5).
    #[must_use]
    pub fn code_or_1005(&self) -> u16 {
        self.code.map_or(1005, CloseCode::get)
    }

    /// Appends the body of the Close frame.
    pub(crate) fn write_payload(&self, out: &mut Vec<u8>) {
        if let Some(code) = self.code {
            out.extend_from_slice(&code.get().to_be_bytes());
            let end = self.reason.floor_char_boundary(REASON);
            out.extend_from_slice(self.reason.get(..end).unwrap_or_default().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_that_may_stand_on_the_wire_are_taken() {
        for code in [
            0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535,
        ] {
            let refused = Close::from_payload(&u16::to_be_bytes(code)).unwrap_err();
            assert_eq!(refused.code, Some(CloseCode::PROTOCOL_ERROR), "{code}");
        }
        for code in [
            1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
        ] {
            let taken = Close::from_payload(&u16::to_be_bytes(code)).unwrap();
            assert_eq!(taken.code_or_1005(), code);
        }
    }

    #[test]
    fn a_cut_code_and_a_reason_that_is_not_text_are_refused() {
        assert_eq!(
            Close::from_payload(b"\x03").unwrap_err().code,
            Some(CloseCode::PROTOCOL_ERROR)
        );
        let refused = Close::from_payload(b"\x03\xe8\xff").unwrap_err();
        assert_eq!(refused.code, Some(CloseCode::INVALID_PAYLOAD));
    }
}
