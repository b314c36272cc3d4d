//! What can be told of HTTP/2 frames without understanding them (RFC 9113 §4.1), and what a peer may ask for by them.
//!
//! Most frames cost their sender nine bytes and the receiver a good deal more. That is what rapid reset (CVE-2023-44487)
//! and the floods of CVE-2019-9511 to 9518 live on. So frames that bring nothing are paid for: out of an [`Allowance`]
//! that grows slowly with time, and with what the server has sent, which a peer may acknowledge.

use std::time::{Duration, Instant};

/// A frame's type (RFC 9113 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Reset,
    GoAway,
    Other,
}

/// The head of a frame, and the error that it tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// It carries more than padding.
    pub(super) brings: bool,
    /// Of `RST_STREAM` and GOAWAY (RFC 9113 §7), otherwise 0.
    pub(super) error: u32,
}

/// Finds the frames in bytes that come in pieces.
#[derive(Debug)]
pub(super) struct Frames {
    /// Of the client's preface.
    preface: usize,
    head: [u8; HEAD],
    have: usize,
    /// What its payload begins with, where that is looked at.
    payload: [u8; 8],
    /// Bytes of the payload that have passed, and that there are.
    passed: usize,
    length: usize,
}

const HEAD: usize = 9;
/// `PRI * HTTP/2.0`... (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// RFC 9113 §6.1.
const PADDED: u8 = 0x8;

impl Frames {
    /// What a client sends.
    pub(super) fn of_client() -> Self {
        Self::behind(PREFACE)
    }

    /// What a server sends.
    pub(super) fn of_server() -> Self {
        Self::behind(0)
    }

    fn behind(preface: usize) -> Self {
        Self {
            preface,
            head: [0; HEAD],
            have: 0,
            payload: [0; 8],
            passed: 0,
            length: 0,
        }
    }

    /// Looks at what comes next, and tells each frame as soon as all is known that is told of it.
    pub(super) fn see(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Frame)) {
        let skipped = self.preface.min(bytes.len());
        self.preface -= skipped;
        bytes = bytes.get(skipped..).unwrap_or_default();
        while !bytes.is_empty() {
            let taken = match self.have {
                HEAD => self.pass(bytes, &mut tell),
                _ => self.begin(bytes, &mut tell),
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn begin(&mut self, bytes: &[u8], tell: &mut impl FnMut(Frame)) -> usize {
        let room = self.head.get_mut(self.have..).unwrap_or_default();
        let taken = room.len().min(bytes.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.have += taken;
        if self.have == HEAD {
            let [a, b, c, ..] = self.head;
            self.length = u32::from_be_bytes([0, a, b, c]) as usize;
            self.passed = 0;
            self.payload = [0; 8];
            self.told_at(0, tell);
        }
        taken
    }

    fn pass(&mut self, bytes: &[u8], tell: &mut impl FnMut(Frame)) -> usize {
        let taken = (self.length - self.passed).min(bytes.len());
        let room = self.payload.get_mut(self.passed..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(bytes.iter().take(taken)) {
            *to = *from;
        }
        let before = self.passed;
        self.passed += taken;
        self.told_at(before, tell);
        taken
    }

    /// Tells the frame if what is looked at has come since `before`, and ends it if all of it has.
    fn told_at(&mut self, before: usize, tell: &mut impl FnMut(Frame)) {
        let frame = self.frame();
        let looked_at = match frame.kind {
            Kind::Reset => 4,
            Kind::GoAway => 8,
            _ => 0,
        };
        let looked_at = self.length.min(looked_at);
        let is_first = before < looked_at || (looked_at == 0 && self.passed == 0);
        if is_first && self.passed >= looked_at {
            tell(frame);
        }
        if self.passed == self.length {
            self.have = 0;
        }
    }

    fn frame(&self) -> Frame {
        let [.., kind, flags, _, _, _, _] = self.head;
        let [a, b, c, d, e, f, g, h] = self.payload;
        let (kind, error) = match kind {
            0 => (Kind::Data, 0),
            1 => (Kind::Headers, 0),
            3 => (Kind::Reset, u32::from_be_bytes([a, b, c, d])),
            7 => (Kind::GoAway, u32::from_be_bytes([e, f, g, h])),
            _ => (Kind::Other, 0),
        };
        Frame {
            kind,
            brings: kind == Kind::Data && self.length > 0 && flags & PADDED == 0,
            error,
        }
    }
}

/// How much of what costs more than it brings a peer may still send.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    most: u32,
    filled: Instant,
}

/// The most that is saved up: a page that opens a hundred sockets and leaves uses half of it.
const MOST: u32 = 500;
/// So much comes back in a second.
const A_SECOND: u32 = 50;

/// A peer sent more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Allowance {
    /// Of frames that bring nothing.
    pub(super) fn new(now: Instant) -> Self {
        Self::of(MOST, now)
    }

    /// Of so many at once, and more with time.
    pub(super) fn of(most: u32, now: Instant) -> Self {
        Self {
            left: most,
            most,
            filled: now,
        }
    }

    /// Pays for a frame of the peer. Data for a socket is paid for by the socket's own limits.
    pub(super) fn received(
        &mut self,
        frame: Frame,
        carries: bool,
        now: Instant,
    ) -> Result<(), Exhausted> {
        match frame.brings && carries {
            true => Ok(()),
            false => self.take(1, now),
        }
    }

    /// Pays for something dearer.
    pub(super) fn take(&mut self, cost: u32, now: Instant) -> Result<(), Exhausted> {
        let since = now.saturating_duration_since(self.filled);
        let earned = since.as_millis() * u128::from(A_SECOND) / 1000;
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(self.most);
            self.earn(earned);
            self.filled += Duration::from_millis(1000 / u64::from(A_SECOND)) * earned;
        }
        self.left = self.left.checked_sub(cost).ok_or(Exhausted)?;
        Ok(())
    }

    /// A frame was sent, which the peer may acknowledge on its stream and on the connection.
    pub(super) fn sent(&mut self, frame: Frame) {
        if matches!(frame.kind, Kind::Data | Kind::Headers) {
            self.earn(2);
        }
    }

    fn earn(&mut self, more: u32) {
        self.left = self.left.saturating_add(more).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.extend(payload);
        bytes
    }

    fn seen(frames: &mut Frames, pieces: &[&[u8]]) -> Vec<Frame> {
        let mut seen = Vec::new();
        for piece in pieces {
            frames.see(piece, |frame| seen.push(frame));
        }
        seen
    }

    const fn told(kind: Kind, brings: bool, error: u32) -> Frame {
        Frame {
            kind,
            brings,
            error,
        }
    }

    #[test]
    fn frames_are_told_with_what_they_bring() {
        let all = [
            frame(4, 0, &[]),
            frame(1, 4, b"block"),
            frame(0, 0, b"data"),
            frame(0, 0, b""),
            frame(0, PADDED, &[3, 0, 0, 0]),
            frame(3, 0, &7_u32.to_be_bytes()),
            frame(7, 0, &[0, 0, 0, 1, 0, 0, 0, 11, b'w', b'h', b'y']),
            frame(3, 0, b"x"),
            frame(6, 0, &[0; 8]),
        ]
        .concat();
        let expected = [
            told(Kind::Other, false, 0),
            told(Kind::Headers, false, 0),
            told(Kind::Data, true, 0),
            told(Kind::Data, false, 0),
            told(Kind::Data, false, 0),
            told(Kind::Reset, false, 7),
            told(Kind::GoAway, false, 11),
            told(Kind::Reset, false, u32::from(b'x') << 24),
            told(Kind::Other, false, 0),
        ];
        assert_eq!(seen(&mut Frames::of_server(), &[&all]), expected);
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &all[..]].concat();
        assert_eq!(seen(&mut Frames::of_client(), &[&preface]), expected);
    }

    #[test]
    fn floods_exhaust_the_allowance_and_ordinary_traffic_does_not() {
        let now = Instant::now();
        let ping = told(Kind::Other, false, 0);
        let mut flood = Allowance::new(now);
        let passed = (0..MOST * 2).take_while(|_| flood.received(ping, true, now).is_ok());
        assert_eq!(passed.count(), MOST as usize);
        let later = now + Duration::from_secs(1);
        let again = (0..MOST).take_while(|_| flood.received(ping, true, later).is_ok());
        assert_eq!(again.count(), A_SECOND as usize, "it comes back slowly");

        let mut busy = Allowance::new(now);
        for _ in 0..10 * MOST {
            busy.received(told(Kind::Data, true, 0), true, now).unwrap();
            busy.sent(told(Kind::Data, true, 0));
            busy.received(ping, true, now).unwrap();
            busy.received(ping, true, now).unwrap();
        }
    }

    #[test]
    fn data_of_nobody_who_was_admitted_is_no_better() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        let data = told(Kind::Data, true, 0);
        let passed = (0..MOST * 2).take_while(|_| allowance.received(data, false, now).is_ok());
        assert_eq!(passed.count(), MOST as usize);
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            frames in prop::collection::vec((0_u8..10, any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 0..8),
            cuts: Vec<prop::sample::Index>,
        ) {
            let all: Vec<u8> = frames.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, payload)).collect();
            let whole = seen(&mut Frames::of_server(), &[&all]);
            prop_assert_eq!(whole.len(), frames.len());
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
            at.extend([0, all.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &all[pair[0]..pair[1]]).collect();
            prop_assert_eq!(seen(&mut Frames::of_server(), &pieces), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = seen(&mut Frames::of_client(), &[&bytes]);
        }
    }
}
