//! What a peer's bytes come to.

use std::{borrow::Cow, time::Instant};

use super::{Action, Connection, Deflated, Incoming, Limits, Partial, Role, State, Step};
use crate::{
    close::{Close, CloseCode},
    deflate::{self, Broken, Inflater},
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
    /// A message is whole, text or not, and the inflater holds it.
    Inflated { text: bool },
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
    /// Payloads are unmasked in place; a message that came whole is borrowed from `input`, or from `inflater` if it was
    /// deflated.
    pub fn receive<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Instant,
        inflater: &'a mut Inflater,
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
            let (outcome, after) = self.step(rest, now, inflater, out, &mut pongs);
            rest = after;
            let action = match outcome {
                Outcome::Nothing => continue,
                Outcome::Inflated { text } => {
                    self.act(deliver_in_place(text, inflater.inflated()), now, out)
                }
                outcome => self.act(outcome, now, out),
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

    fn act<'a>(&mut self, outcome: Outcome<'a>, now: Instant, out: &mut Vec<u8>) -> Action<'a> {
        match outcome {
            Outcome::Nothing | Outcome::Inflated { .. } => Action::More,
            Outcome::Message(message) => Action::Deliver(message),
            Outcome::Violation(close) => {
                self.close(&close, now, out);
                Action::Closing(close)
            }
            Outcome::Closed(close) => self.answer_close(close, out),
        }
    }

    /// Reads one header, or one piece of payload.
    fn step<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Instant,
        inflater: &mut Inflater,
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
            self.data(&frame, payload, inflater)
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
        if held == 0 {
            self.begun = now;
        }
        let more = input.len().min(LONGEST - held);
        let mut header = self.header;
        for (to, from) in header.iter_mut().skip(held).zip(input.iter()) {
            *to = *from;
        }
        let bytes = header.get(..held + more).unwrap_or_default();
        let deflate = self.encoding.is_some();
        let judge_first = |&byte| frame::judge_first(byte, deflate);
        if let (true, Some(Err(word))) = (open, bytes.first().map(judge_first)) {
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
            .judge(matches!(self.role, Role::Server), self.encoding.is_some())
            .map_err(broken)?;
        if !opcode.is_control() {
            self.judge_data(opcode, header)?;
        }
        Ok(Incoming {
            opcode,
            fin: header.is_final(),
            deflated: header.is_deflated(),
            mask: header.mask.unwrap_or_default(),
            offset: 0,
            left: header.length,
            control: Vec::new(),
            skip: false,
        })
    }

    fn judge_data(&mut self, opcode: Opcode, header: Header) -> Result<(), Close> {
        let (held, deflated) = match (&mut self.message, opcode) {
            (None, Opcode::Continuation) => {
                return Err(Close::new(CloseCode::PROTOCOL_ERROR, "continuation"));
            }
            (Some(message), Opcode::Continuation) => {
                message.fragments = message.fragments.saturating_add(1);
                if message.fragments > self.limits.fragments {
                    return Err(Close::new(CloseCode::POLICY_VIOLATION, "fragments"));
                }
                match &message.deflated {
                    Some(deflated) => (deflated.came, true),
                    None => (message.data.len(), false),
                }
            }
            (Some(_), _) => return Err(Close::new(CloseCode::PROTOCOL_ERROR, "interleaved")),
            (None, _) => (0, header.is_deflated()),
        };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let Limits { frame, message, .. } = *self.limits;
        let most = |limit| {
            if deflated {
                deflate::longest(limit)
            } else {
                limit
            }
        };
        if length > most(frame) || held.saturating_add(length) > most(message) {
            return Err(too_big());
        }
        Ok(())
    }

    /// While we close, frames are only read over, to find the peer's Close.
    fn lenient(&mut self, header: Header) -> Result<Incoming, Close> {
        let close = header.opcode() == Some(Opcode::Close) && header.length <= 125;
        Ok(Incoming {
            opcode: header.opcode().unwrap_or(Opcode::Binary),
            fin: true,
            deflated: false,
            mask: header.mask.unwrap_or_default(),
            offset: 0,
            left: header.length,
            control: Vec::new(),
            skip: !close,
        })
    }

    fn data<'a>(
        &mut self,
        frame: &Incoming,
        payload: &'a mut [u8],
        inflater: &mut Inflater,
    ) -> Outcome<'a> {
        let (text, limit) = (frame.opcode == Opcode::Text, self.limits.message);
        let whole = frame.left == 0;
        if self.message.is_none() {
            // No piece of the frame came before: it would have begun a message.
            if whole && frame.fin {
                if !frame.deflated {
                    return deliver_in_place(text, payload);
                }
                return match inflater.whole(payload, limit) {
                    Ok(()) => Outcome::Inflated { text },
                    Err(why) => Outcome::Violation(broken(why)),
                };
            }
            self.message = Some(Box::new(Partial {
                text,
                data: Vec::new(),
                deflated: frame.deflated.then(|| Deflated {
                    stream: inflater.begin(),
                    came: 0,
                }),
                utf8: Utf8::default(),
                fragments: 0,
                begun: self.begun,
            }));
        }
        let Some(message) = &mut self.message else {
            return Outcome::Nothing;
        };
        if let Err(close) = message.push(payload, limit) {
            return Outcome::Violation(close);
        }
        if !(whole && frame.fin) {
            return Outcome::Nothing;
        }
        let finished = message.finish(limit, inflater);
        let message = self.message.take();
        match (finished, message) {
            (Err(close), _) => Outcome::Violation(close),
            (Ok(()), Some(message)) => message.deliver(),
            (Ok(()), None) => Outcome::Nothing,
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

impl Partial {
    /// Takes the next piece.
    fn push(&mut self, payload: &[u8], limit: usize) -> Result<(), Close> {
        let held = self.data.len();
        match &mut self.deflated {
            None => self.data.extend_from_slice(payload),
            Some(deflated) => {
                deflated.came = deflated.came.saturating_add(payload.len());
                let pushed = deflated.stream.push(payload, &mut self.data, limit);
                pushed.map_err(broken)?;
            }
        }
        self.judge_text(held)
    }

    /// All pieces have come.
    fn finish(&mut self, limit: usize, inflater: &mut Inflater) -> Result<(), Close> {
        let held = self.data.len();
        if let Some(mut deflated) = self.deflated.take() {
            let finished = deflated.stream.finish(&mut self.data, limit);
            finished.map_err(broken)?;
            inflater.end(deflated.stream);
            self.judge_text(held)?;
        }
        Ok(())
    }

    /// Judges what came behind so many bytes.
    fn judge_text(&mut self, held: usize) -> Result<(), Close> {
        let new = self.data.get(held..).unwrap_or_default();
        match self.text && self.utf8.push(new).is_err() {
            true => Err(not_text()),
            false => Ok(()),
        }
    }

    fn deliver(self: Box<Self>) -> Outcome<'static> {
        if !self.text {
            return Outcome::Message(Message::Binary(Cow::Owned(self.data)));
        }
        match String::from_utf8(self.data) {
            Ok(text) => Outcome::Message(Message::Text(Cow::Owned(text))),
            // Every piece was text, so the last character is cut short.
            Err(_) => Outcome::Violation(not_text()),
        }
    }
}

fn deliver_in_place(text: bool, payload: &[u8]) -> Outcome<'_> {
    if !text {
        return Outcome::Message(Message::Binary(Cow::Borrowed(payload)));
    }
    match std::str::from_utf8(payload) {
        Ok(text) => Outcome::Message(Message::Text(Cow::Borrowed(text))),
        Err(_) => Outcome::Violation(not_text()),
    }
}

fn not_text() -> Close {
    Close::new(CloseCode::INVALID_PAYLOAD, "utf-8")
}

fn too_big() -> Close {
    Close::new(CloseCode::MESSAGE_TOO_BIG, "size")
}

/// RFC 7692 names no code for data that does not inflate; RFC 6455 §7.4.1 has one for data that is not what the message says
/// it is.
fn broken(why: Broken) -> Close {
    match why {
        Broken::Data => Close::new(CloseCode::INVALID_PAYLOAD, "deflate"),
        Broken::Size => too_big(),
    }
}
