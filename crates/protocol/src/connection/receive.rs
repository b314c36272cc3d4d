//! What a peer's bytes come to.

use std::{borrow::Cow, time::Instant};

use super::{Action, Connection, Incoming, Limits, Partial, Role, State, Step};
use crate::{
    close::{Close, CloseCode},
    frame::{self, Header, LONGEST, Opcode},
    mask,
    message::Message,
    utf8::Utf8,
};

/// Pongs answered one by one in a call; beyond it the newest replaces the one before (RFC 6455 §5.5.3).
const PONGS: u32 = 16;

/// What one frame, or a piece of one, came to.
enum Outcome<'a> {
    /// Nothing yet.
    Nothing,
    /// A message is whole.
    Message(Message<'a>),
    /// The peer broke a rule; this is what to close with.
    Violation(Close),
    /// The peer's Close.
    Closed(Close),
}

/// The pongs of one call.
#[derive(Default)]
struct Pongs {
    count: u32,
    /// Where the last one stands in `out`.
    last: Option<(usize, usize)>,
}

impl Connection {
    /// Reads frames from `input` until one comes to something. Replies (pongs, Close) are appended to `out`.
    ///
    /// Payloads are unmasked in place; a message that came whole is borrowed from `input`.
    pub fn receive<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Step<'a> {
        if !input.is_empty() {
            self.heard = now;
            self.pinged = None;
        }
        let whole = input.len();
        let mut rest = input;
        let mut pongs = Pongs::default();
        while !rest.is_empty() && self.state != State::Closed {
            let (outcome, after) = self.step(rest, now, out, &mut pongs);
            rest = after;
            let action = match outcome {
                Outcome::Nothing => continue,
                Outcome::Message(message) => Action::Deliver(message),
                Outcome::Violation(close) => {
                    self.close(&close, now, out);
                    Action::Closing(close)
                }
                Outcome::Closed(close) => self.answer_close(close, out),
            };
            return Step {
                consumed: whole - rest.len(),
                action,
            };
        }
        Step {
            consumed: whole,
            action: Action::More,
        }
    }

    /// Reads one header, or one piece of payload.
    fn step<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Instant,
        out: &mut Vec<u8>,
        pongs: &mut Pongs,
    ) -> (Outcome<'a>, &'a mut [u8]) {
        let (mut frame, input) = match self.frame.take() {
            Some(frame) => (frame, input),
            None => match self.begin(input, now) {
                Ok((Some(frame), rest)) => (frame, rest),
                Ok((None, rest)) => return (Outcome::Nothing, rest),
                Err((broken, rest)) => return (broken, rest),
            },
        };
        let take = usize::try_from(frame.left)
            .unwrap_or(usize::MAX)
            .min(input.len());
        let (payload, rest) = input.split_at_mut(take);
        mask::apply(payload, frame.mask, frame.offset);
        frame.left -= take as u64;
        frame.offset = frame.offset.wrapping_add(take);
        let outcome = if frame.skip {
            Outcome::Nothing
        } else if frame.opcode.is_control() {
            self.control(&mut frame, payload, now, out, pongs)
        } else {
            self.data(&frame, payload, take)
        };
        if frame.left > 0 {
            frame.skip |= matches!(outcome, Outcome::Violation(_));
            self.frame = Some(frame);
        }
        (outcome, rest)
    }

    /// Reads a header and judges it. No frame yet if it is cut short.
    #[expect(
        clippy::type_complexity,
        reason = "each part of it is consumed at once by `step`"
    )]
    fn begin<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Instant,
    ) -> Result<(Option<Incoming>, &'a mut [u8]), (Outcome<'static>, &'a mut [u8])> {
        let open = self.state == State::Open;
        let held = usize::from(self.header_length);
        // A message begins with the first byte of its head, however late the second comes.
        if held == 0 && self.message.is_none() {
            self.begun = now;
        }
        let more = input.len().min(LONGEST - held);
        let mut header = self.header;
        for (to, from) in header.iter_mut().skip(held).zip(input.iter()) {
            *to = *from;
        }
        let bytes = header.get(..held + more).unwrap_or_default();
        if let (true, Some(Err(word))) = (open, bytes.first().map(|&byte| frame::judge_first(byte)))
        {
            let broken = Close::new(CloseCode::PROTOCOL_ERROR, word);
            return Err((Outcome::Violation(broken), input));
        }
        let Some((parsed, used)) = Header::parse(bytes) else {
            self.header = header;
            self.header_length = u8::try_from(held + more).unwrap_or(u8::MAX);
            return Ok((None, input.split_at_mut(more).1));
        };
        // INVARIANT: a refused header stays unread, so that it is read over once more, leniently, while we close.
        let incoming = if open {
            self.judge(parsed)
        } else {
            self.lenient(parsed)
        };
        match incoming {
            Ok(incoming) => {
                self.header_length = 0;
                let rest = input.split_at_mut(used.saturating_sub(held)).1;
                Ok((Some(incoming), rest))
            }
            // Whatever is wrong with a Close, there is no other to wait for.
            Err(close) if parsed.opcode() == Some(Opcode::Close) => {
                Err((Outcome::Closed(close), input))
            }
            Err(close) => Err((Outcome::Violation(close), input)),
        }
    }

    /// Judges a header and makes room for what it announces; nothing is allocated for a length.
    fn judge(&mut self, header: Header) -> Result<Incoming, Close> {
        let broken = |word| Close::new(CloseCode::PROTOCOL_ERROR, word);
        let opcode = header
            .judge(matches!(self.role, Role::Server))
            .map_err(broken)?;
        if !opcode.is_control() {
            self.judge_data(opcode, header)?;
        }
        Ok(Incoming {
            opcode,
            fin: header.is_final(),
            mask: header.mask.unwrap_or_default(),
            offset: 0,
            left: header.length,
            control: Vec::new(),
            skip: false,
        })
    }

    fn judge_data(&mut self, opcode: Opcode, header: Header) -> Result<(), Close> {
        let held = match (&mut self.message, opcode) {
            (None, Opcode::Continuation) => {
                return Err(Close::new(CloseCode::PROTOCOL_ERROR, "continuation"));
            }
            (Some(message), Opcode::Continuation) => {
                message.fragments = message.fragments.saturating_add(1);
                if message.fragments > self.limits.fragments {
                    return Err(Close::new(CloseCode::POLICY_VIOLATION, "fragments"));
                }
                message.data.len()
            }
            (Some(_), _) => return Err(Close::new(CloseCode::PROTOCOL_ERROR, "interleaved")),
            (None, _) => 0,
        };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length > self.limits.frame || held.saturating_add(length) > self.limits.message {
            return Err(Close::new(CloseCode::MESSAGE_TOO_BIG, "size"));
        }
        Ok(())
    }

    /// While we close, frames are only read over, to find the peer's Close.
    fn lenient(&mut self, header: Header) -> Result<Incoming, Close> {
        let close = header.opcode() == Some(Opcode::Close) && header.length <= 125;
        Ok(Incoming {
            opcode: header.opcode().unwrap_or(Opcode::Binary),
            fin: true,
            mask: header.mask.unwrap_or_default(),
            offset: 0,
            left: header.length,
            control: Vec::new(),
            skip: !close,
        })
    }

    fn data<'a>(&mut self, frame: &Incoming, payload: &'a mut [u8], take: usize) -> Outcome<'a> {
        let whole = frame.left == 0;
        if self.message.is_none() {
            if whole && frame.fin && frame.offset == take {
                return deliver_in_place(frame.opcode == Opcode::Text, payload);
            }
            self.message = Some(Box::new(Partial {
                text: frame.opcode == Opcode::Text,
                data: Vec::new(),
                utf8: Utf8::default(),
                fragments: 0,
                begun: self.begun,
            }));
        }
        let Some(message) = &mut self.message else {
            return Outcome::Nothing;
        };
        if message.text && message.utf8.push(payload).is_err() {
            return not_text();
        }
        message.data.extend_from_slice(payload);
        if !(whole && frame.fin) {
            return Outcome::Nothing;
        }
        match self.message.take() {
            Some(message) if message.text => match String::from_utf8(message.data) {
                Ok(text) if message.utf8.is_complete() => {
                    Outcome::Message(Message::Text(Cow::Owned(text)))
                }
                _ => not_text(),
            },
            Some(message) => Outcome::Message(Message::Binary(Cow::Owned(message.data))),
            None => Outcome::Nothing,
        }
    }

    fn control(
        &mut self,
        frame: &mut Incoming,
        payload: &[u8],
        now: Instant,
        out: &mut Vec<u8>,
        pongs: &mut Pongs,
    ) -> Outcome<'static> {
        let payload = if frame.left == 0 && frame.control.is_empty() {
            payload
        } else {
            frame.control.extend_from_slice(payload);
            if frame.left > 0 {
                return Outcome::Nothing;
            }
            &frame.control
        };
        match frame.opcode {
            Opcode::Close => match Close::from_payload(payload) {
                // Whatever is wrong with it, it is the peer's last word: there is no other Close to wait for.
                Ok(close) | Err(close) => Outcome::Closed(close),
            },
            _ if self.flooded(now) => {
                Outcome::Violation(Close::new(CloseCode::POLICY_VIOLATION, "flood"))
            }
            Opcode::Ping => {
                self.pong(payload, out, pongs);
                Outcome::Nothing
            }
            _ => Outcome::Nothing,
        }
    }

    fn flooded(&mut self, now: Instant) -> bool {
        if now >= self.counting + Limits::CONTROL_WINDOW {
            self.counting = now;
            self.controls = 0;
        }
        self.controls = self.controls.saturating_add(1);
        self.controls > self.limits.control_frames
    }

    fn pong(&self, payload: &[u8], out: &mut Vec<u8>, pongs: &mut Pongs) {
        pongs.count = pongs.count.saturating_add(1);
        if let Some((start, end)) = pongs.last
            && pongs.count > PONGS
            && end == out.len()
        {
            out.truncate(start);
        }
        let start = out.len();
        self.write(Opcode::Pong, payload, out);
        pongs.last = Some((start, out.len()));
    }

    /// The peer has closed: answer in kind, unless ours went first, and that was the answer.
    fn answer_close(&mut self, close: Close, out: &mut Vec<u8>) -> Action<'static> {
        if self.state == State::Open {
            self.write_close(&close, out);
        }
        self.state = State::Closed;
        self.message = None;
        Action::Closed(close)
    }
}

fn deliver_in_place(text: bool, payload: &[u8]) -> Outcome<'_> {
    if !text {
        return Outcome::Message(Message::Binary(Cow::Borrowed(payload)));
    }
    match std::str::from_utf8(payload) {
        Ok(text) => Outcome::Message(Message::Text(Cow::Borrowed(text))),
        Err(_) => not_text(),
    }
}

fn not_text() -> Outcome<'static> {
    Outcome::Violation(Close::new(CloseCode::INVALID_PAYLOAD, "utf-8"))
}
