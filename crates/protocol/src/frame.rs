//! Frame headers (RFC 6455 §5.2).

use crate::mask;

/// What a frame carries. Opcodes 3 to 7 and 11 to 15 are reserved and do not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message before.
    Continuation,
    /// A message of UTF-8 text, or its beginning.
    Text,
    /// A message of bytes, or its beginning.
    Binary,
    /// The end.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Close, Ping and Pong: never fragmented, at most 125 bytes, allowed between fragments.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A header as it stands on the wire, not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    first: u8,
    /// Of the payload.
    pub(crate) length: u64,
    pub(crate) mask: Option<[u8; 4]>,
    /// The length could have been written in fewer bytes, or its top bit is set.
    minimal: bool,
}

/// The longest header: two bytes, eight of length, four of mask.
pub(crate) const LONGEST: usize = 14;

const FIN: u8 = 0x80;
/// A deflated message, where that was agreed (RFC 7692 §6); on its first frame alone.
const RSV1: u8 = 0x40;
const RSV: u8 = 0x70;
const MASK: u8 = 0x80;
const LONGEST_CONTROL: u64 = 125;

impl Header {
    /// Reads a header; none if it is cut short. Returns its own length too.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        let (length, minimal, rest) = match second & !MASK {
            126 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let length = u64::from(u16::from_be_bytes(*length));
                (length, length > 125, rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk::<8>()?;
                let length = u64::from_be_bytes(*length);
                (
                    length,
                    length > u64::from(u16::MAX) && length >> 63 == 0,
                    rest,
                )
            }
            short => (u64::from(short), true, rest),
        };
        let (mask, rest) = if second & MASK == 0 {
            (None, rest)
        } else {
            let (mask, rest) = rest.split_first_chunk::<4>()?;
            (Some(*mask), rest)
        };
        Some((
            Self {
                first,
                length,
                mask,
                minimal,
            },
            bytes.len() - rest.len(),
        ))
    }

    pub(crate) const fn is_final(self) -> bool {
        self.first & FIN != 0
    }

    pub(crate) const fn opcode(self) -> Option<Opcode> {
        Opcode::from_bits(self.first & 0x0F)
    }

    pub(crate) const fn is_deflated(self) -> bool {
        self.first & RSV1 != 0
    }

    /// What this header says, if a peer may say it, who may `deflate` or not.
    pub(crate) fn judge(self, from_client: bool, deflate: bool) -> Result<Opcode, &'static str> {
        let opcode = judge_first(self.first, deflate)?;
        if !self.minimal {
            return Err("length");
        }
        if opcode.is_control() && (self.length > LONGEST_CONTROL || !self.is_final()) {
            return Err("control-frame");
        }
        // RFC 6455 §5.1: clients mask, servers do not.
        if self.mask.is_some() != from_client {
            return Err("mask");
        }
        Ok(opcode)
    }
}

/// Judges the first byte alone, so that a frame that can never be right is failed before the rest has come.
pub(crate) fn judge_first(first: u8, deflate: bool) -> Result<Opcode, &'static str> {
    let opcode = Opcode::from_bits(first & 0x0F);
    // RFC 7692 §6.1: no control frame and no continuation has it.
    let may_be_deflated = deflate && matches!(opcode, Some(Opcode::Text | Opcode::Binary));
    let reserved = if may_be_deflated { RSV & !RSV1 } else { RSV };
    if first & reserved != 0 {
        return Err("reserved-bit");
    }
    opcode.ok_or("opcode")
}

/// Appends a whole frame.
pub(crate) fn write(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    payload: &[u8],
) {
    let fin = if fin { FIN } else { 0 };
    write_behind(out, opcode.bits() | fin, mask, payload);
}

/// Appends a message that was deflated.
pub(crate) fn write_deflated(
    out: &mut Vec<u8>,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    payload: &[u8],
) {
    write_behind(out, opcode.bits() | FIN | RSV1, mask, payload);
}

fn write_behind(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, payload: &[u8]) {
    out.reserve(payload.len() + LONGEST);
    out.push(first);
    let masked = if mask.is_some() { MASK } else { 0 };
    match payload.len() {
        length @ 0..=125 => out.push(masked | length.to_le_bytes()[0]),
        length @ 126..=0xFFFF => {
            out.push(masked | 126);
            let [.., high, low] = length.to_be_bytes();
            out.extend_from_slice(&[high, low]);
        }
        length => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if let Some(key) = mask {
        out.extend_from_slice(&key);
        let start = out.len();
        out.extend_from_slice(payload);
        mask::apply(out.get_mut(start..).unwrap_or_default(), key, 0);
    } else {
        out.extend_from_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(length: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, Opcode::Binary, true, mask, &vec![0; length]);
        out.truncate(out.len() - length);
        out
    }

    #[test]
    fn lengths_are_written_as_short_as_they_can_be() {
        for (length, bytes) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let written = header(length, None);
            assert_eq!(written.len(), bytes);
            let (parsed, used) = Header::parse(&written).unwrap();
            assert_eq!((parsed.length, used), (length as u64, bytes));
            assert_eq!(parsed.judge(false, false), Ok(Opcode::Binary));
        }
    }

    #[test]
    fn a_length_that_could_be_shorter_or_has_its_top_bit_set_is_refused() {
        for bytes in [
            &[0x82, 126, 0, 125][..],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
            &[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0],
        ] {
            let (parsed, _) = Header::parse(bytes).unwrap();
            assert_eq!(parsed.judge(false, false), Err("length"));
        }
    }

    #[test]
    fn a_deflated_message_is_one_frame_with_its_bit_set() {
        let mut out = Vec::new();
        write_deflated(&mut out, Opcode::Text, None, b"x");
        assert_eq!(out, [0b1100_0001, 1, b'x']);
        let (header, _) = Header::parse(&out).unwrap();
        assert!(header.is_deflated() && header.is_final());
        assert_eq!(header.judge(false, true), Ok(Opcode::Text));
        assert_eq!(header.judge(false, false), Err("reserved-bit"));
    }

    /// RFC 6455 §5.5: at most 125 bytes, and never in fragments.
    #[test]
    fn a_control_frame_is_whole_and_holds_125_bytes() {
        let judged = |fin: bool, length: usize| {
            let mut out = Vec::new();
            write(&mut out, Opcode::Ping, fin, None, &vec![0; length]);
            Header::parse(&out).unwrap().0.judge(false, false)
        };
        assert_eq!(judged(true, 125), Ok(Opcode::Ping));
        assert_eq!(judged(true, 126), Err("control-frame"));
        assert_eq!(judged(false, 125), Err("control-frame"));
    }

    #[test]
    fn a_frame_takes_no_more_memory_than_it_is_long() {
        let mut out = Vec::new();
        write(&mut out, Opcode::Binary, true, None, &[0; 1000]);
        assert!(out.capacity() <= 1000 + LONGEST, "{}", out.capacity());
    }

    #[test]
    fn clients_mask_and_servers_do_not() {
        let (masked, _) = Header::parse(&header(1, Some([1, 2, 3, 4]))).unwrap();
        let (plain, _) = Header::parse(&header(1, None)).unwrap();
        assert_eq!(masked.judge(true, false), Ok(Opcode::Binary));
        assert_eq!(plain.judge(true, false), Err("mask"));
        assert_eq!(masked.judge(false, false), Err("mask"));
    }

    proptest! {
        #[test]
        fn a_header_cut_short_is_no_header(length in 0usize..70_000, at: prop::sample::Index) {
            let whole = header(length, Some([9; 4]));
            let cut = at.index(whole.len());
            prop_assert!(Header::parse(&whole[..cut]).is_none());
        }
    }
}
