//! Frames (RFC 6455 §5): built once, and scanned with as little work as can be.

/// One message that came.
pub(crate) struct Message<'a> {
    pub(crate) opcode: u8,
    pub(crate) length: u64,
    /// Empty if it was cut and nobody wanted to see it.
    pub(crate) payload: &'a [u8],
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

const FIN: u8 = 0x80;
/// It protects nobody, but unmasking it is the same work as for any other.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];

/// A client's frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    let masked = payload.iter().zip(MASK.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// What has come of a server's frames.
#[derive(Default)]
pub(crate) struct Frames {
    /// A head that was cut, and how much of it is there.
    head: [u8; 10],
    headed: usize,
    /// Of the frame under way.
    left: u64,
    fin: bool,
    in_frame: bool,
    /// Of the message under way.
    opcode: u8,
    length: u64,
    collected: Vec<u8>,
    /// Whether payloads that are cut are put together.
    pub(crate) keeps: bool,
}

struct Head {
    size: usize,
    fin: bool,
    opcode: u8,
    length: u64,
}

impl Frames {
    /// Goes through what has come and shows each message that is whole.
    pub(crate) fn scan(
        &mut self,
        mut bytes: &[u8],
        mut message: impl FnMut(Message<'_>),
    ) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if !self.in_frame {
                bytes = match self.headed {
                    0 => match self.whole(bytes, &mut message)? {
                        Some(rest) => rest,
                        None => self.begin(bytes)?,
                    },
                    _ => self.begin(bytes)?,
                };
            } else {
                let take = usize::try_from(self.left).unwrap_or(usize::MAX);
                let (here, rest) = bytes.split_at(take.min(bytes.len()));
                self.left -= here.len() as u64;
                if self.keeps {
                    self.collected.extend_from_slice(here);
                }
                bytes = rest;
            }
            if self.in_frame && self.left == 0 {
                self.in_frame = false;
                if self.fin {
                    self.finish(&mut message);
                }
            }
        }
        Ok(())
    }

    /// The quick way: a message in one frame that is there as a whole. None if it is not that.
    fn whole<'a>(
        &mut self,
        bytes: &'a [u8],
        message: &mut impl FnMut(Message<'_>),
    ) -> Result<Option<&'a [u8]>, &'static str> {
        let Some(head) = read_head(bytes)? else {
            return Ok(None);
        };
        let end = head
            .size
            .saturating_add(usize::try_from(head.length).unwrap_or(usize::MAX));
        if !head.fin || head.opcode == 0 {
            return Ok(None);
        }
        let Some(payload) = bytes.get(head.size..end) else {
            return Ok(None);
        };
        message(Message {
            opcode: head.opcode,
            length: head.length,
            payload,
        });
        Ok(bytes.get(end..))
    }

    /// Takes a head, or as much of it as is there.
    fn begin<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], &'static str> {
        let already = self.headed;
        for (place, byte) in self.head.iter_mut().skip(already).zip(bytes) {
            *place = *byte;
            self.headed += 1;
        }
        let Some(head) = read_head(self.head.get(..self.headed).unwrap_or_default())? else {
            return Ok(&[]);
        };
        self.headed = 0;
        self.in_frame = true;
        self.left = head.length;
        // No work here waits for a control frame between fragments, so that one is counted into the message around it.
        self.fin = head.fin && (head.opcode < CLOSE || self.length == 0);
        if head.opcode != 0 {
            self.opcode = head.opcode;
        }
        self.length += head.length;
        Ok(bytes
            .get(head.size.saturating_sub(already)..)
            .unwrap_or_default())
    }

    fn finish(&mut self, message: &mut impl FnMut(Message<'_>)) {
        message(Message {
            opcode: self.opcode,
            length: self.length,
            payload: &self.collected,
        });
        self.length = 0;
        self.collected = Vec::new();
    }
}

/// None if more must come.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if second & 0x80 != 0 {
        return Err("the server masked a frame");
    }
    if first & 0x70 != 0 {
        return Err("the server compressed a frame");
    }
    let (size, length) = match second & 0x7f {
        126 => match rest {
            [a, b, ..] => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (10, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    Ok(Some(Head {
        size,
        fin: first & FIN != 0,
        opcode: first & 0x0f,
        length,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ ..126 => frame.push(length as u8),
            length @ ..=0xffff => {
                frame.push(126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn messages_are_whole_however_the_bytes_are_cut() {
        let texts = [
            b"".to_vec(),
            b"a".to_vec(),
            vec![b'x'; 125],
            vec![b'y'; 126],
            vec![b'z'; 70_000],
        ];
        let mut bytes: Vec<u8> = texts.iter().flat_map(|text| server(0x81, text)).collect();
        bytes.extend(server(0x01, b"begun, "));
        bytes.extend(server(0x00, b"carried on, "));
        bytes.extend(server(0x80, b"ended"));
        for cut in [1, 2, 3, 7, 64, 4096, bytes.len()] {
            let mut frames = Frames {
                keeps: true,
                ..Frames::default()
            };
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                let mut message = |message: Message<'_>| {
                    assert_eq!(message.length as usize, message.payload.len());
                    seen.push(message.payload.to_vec());
                };
                frames.scan(piece, &mut message).unwrap();
            }
            assert_eq!(seen.len(), 6, "cut every {cut}");
            assert_eq!(&seen[..5], &texts, "cut every {cut}");
            assert_eq!(seen[5], b"begun, carried on, ended");
        }
    }

    #[test]
    fn a_frame_is_masked_and_has_the_shortest_length() {
        assert_eq!(frame(TEXT, b"")[..2], [0x81, 0x80]);
        assert_eq!(frame(TEXT, &[0; 125])[1], 0x80 | 125);
        assert_eq!(frame(BINARY, &[0; 126])[..4], [0x82, 0xfe, 0, 126]);
        assert_eq!(frame(BINARY, &vec![0; 65_536])[1], 0xff);
        assert_eq!(frame(TEXT, b"ab")[6..], [b'a' ^ MASK[0], b'b' ^ MASK[1]]);
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        let mut frames = Frames::default();
        assert!(frames.scan(&[0x81, 0x80], |_| ()).is_err());
        assert!(frames.scan(&[0xc1, 0x00], |_| ()).is_err());
    }
}
