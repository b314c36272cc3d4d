//! JSON that every reader reads alike (RFC 8259, RFC 7493): one pass over the text, refusing what parsers differ on.
//!
//! Refused are doubled keys, keys that reach into JavaScript's prototypes, deep nesting, numbers that a double cannot
//! hold, and halves of surrogate pairs. What passes can be handed on as it stands.

mod keys;
mod number;

use std::borrow::Cow;

use keys::Keys;

/// Why a text is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} at byte {at}")]
pub struct JsonError {
    /// What it breaks.
    pub rule: Rule,
    /// The byte at which it does.
    pub at: usize,
    /// To the value or the key at that byte, as a JSON Pointer (RFC 6901): as far as it was read, where it is not JSON.
    pub pointer: String,
}

/// What a text can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Not JSON.
    #[error("not JSON")]
    Syntax,
    /// More than [`DEPTH`] objects and arrays inside each other.
    #[error("nested too deeply")]
    Depth,
    /// The same key twice in an object, however it is escaped.
    #[error("a key stands twice")]
    DuplicateKey,
    /// `__proto__`, `constructor` or `prototype` as a key.
    #[error("a key that is not allowed")]
    ForbiddenKey,
    /// A number that a double does not hold (RFC 7493 §2.2). An integer, and whatever is written without an exponent, may
    /// be at most ±(2^53 - 1). With a fraction or an exponent it is meant as a double: at most 17 significant digits, where
    /// zeros that only pad do not count, and neither too large for a double nor so small that it becomes zero.
    #[error("a number that does not survive")]
    Number,
    /// A `\u` escape of half a surrogate pair (RFC 7493 §2.1).
    #[error("half a surrogate pair")]
    Surrogate,
}

impl Rule {
    /// Its stable name, for programs.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Depth => "depth",
            Self::DuplicateKey => "duplicate-key",
            Self::ForbiddenKey => "forbidden-key",
            Self::Number => "number",
            Self::Surrogate => "surrogate",
        }
    }
}

/// How deep objects and arrays may be nested.
pub const DEPTH: usize = 32;
const FORBIDDEN: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// Checks a whole text.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn check(text: &str) -> Result<(), JsonError> {
    let mut scan = Scan {
        text,
        at: 0,
        steps: Vec::new(),
    };
    scan.whole().map_err(|Fault { rule, at }| JsonError {
        rule,
        at,
        pointer: scan.pointer(),
    })
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// From what is wrong outwards: known once something is.
    steps: Vec<Cow<'a, str>>,
}

/// What is wrong, and at which byte: small, as every value is answered with it or without.
#[derive(Clone, Copy)]
struct Fault {
    rule: Rule,
    at: usize,
}

impl Rule {
    fn at(self, at: usize) -> Fault {
        Fault { rule: self, at }
    }
}

impl<'a> Scan<'a> {
    fn whole(&mut self) -> Result<(), Fault> {
        self.value(0)?;
        match self.peek() {
            Some(_) => self.syntax(),
            None => Ok(()),
        }
    }

    fn pointer(&self) -> String {
        let steps = self.steps.iter().rev();
        let escaped =
            |step: &Cow<'_, str>| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        steps.map(escaped).collect()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn syntax<T>(&self) -> Result<T, Fault> {
        Err(Rule::Syntax.at(self.at))
    }

    /// INVARIANT: recursion ends at [`DEPTH`].
    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH => Err(Rule::Depth.at(self.at)),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.syntax(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        let mut keys = Keys::default();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.syntax();
            }
            let at = self.at;
            let key = self.key()?;
            if let Err(fault) = self.member(key, at, &mut keys, depth) {
                // Read once more, as it is rarely needed.
                self.at = at;
                let key = self.key()?;
                self.steps.push(key);
                return Err(fault);
            }
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// A member from behind its key, which stands at this byte.
    fn member(
        &mut self,
        key: Cow<'a, str>,
        at: usize,
        keys: &mut Keys<'a>,
        depth: usize,
    ) -> Result<(), Fault> {
        if FORBIDDEN.contains(&&*key) {
            return Err(Rule::ForbiddenKey.at(at));
        }
        if !keys.insert(key) {
            return Err(Rule::DuplicateKey.at(at));
        }
        if self.peek() != Some(b':') {
            return self.syntax();
        }
        self.at += 1;
        self.value(depth)
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        for index in 0_usize.. {
            self.value(depth)
                .inspect_err(|_| self.steps.push(index.to_string().into()))?;
            if self.ends(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// A comma, or the end of the container.
    fn ends(&mut self, end: u8) -> Result<bool, Fault> {
        let ended = match self.peek() {
            Some(b',') => false,
            Some(byte) if byte == end => true,
            _ => return self.syntax(),
        };
        self.at += 1;
        Ok(ended)
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        let here = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !here.starts_with(word.as_bytes()) {
            return self.syntax();
        }
        self.at += word.len();
        Ok(())
    }

    /// A string, judged and passed over.
    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        while self.plain()? == Stop::Escape {
            self.escape()?;
        }
        self.at += 1;
        Ok(())
    }

    /// A string as it is meant: without its quotes, its escapes resolved.
    fn key(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let start = self.at;
        let mut stop = self.plain()?;
        let mut key = Cow::Borrowed(self.text.get(start..self.at).unwrap_or_default());
        while stop == Stop::Escape {
            let meant = key.to_mut();
            meant.push(self.escape()?);
            let from = self.at;
            stop = self.plain()?;
            meant.push_str(self.text.get(from..self.at).unwrap_or_default());
        }
        self.at += 1;
        Ok(key)
    }

    /// Passes over characters that mean themselves, to the end of the string or its next escape.
    fn plain(&mut self) -> Result<Stop, Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_run(rest);
        match self.byte() {
            Some(b'"') => Ok(Stop::Quote),
            Some(b'\\') => Ok(Stop::Escape),
            _ => self.syntax(),
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let at = self.at;
        self.at += 1;
        let plain = match self.byte() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                return self.unicode()?.ok_or(Rule::Surrogate.at(at));
            }
            _ => return self.syntax(),
        };
        self.at += 1;
        Ok(plain)
    }

    /// One escaped code unit, or a pair that belongs together. None if half a pair stands alone.
    fn unicode(&mut self) -> Result<Option<char>, Fault> {
        let first = self.unit()?;
        if !(0xD800..0xDC00).contains(&first) || !self.follows_escape() {
            return Ok(char::from_u32(first.into()));
        }
        self.at += 1;
        let mut pair = char::decode_utf16([first, self.unit()?]);
        Ok(pair.next().and_then(Result::ok))
    }

    fn follows_escape(&self) -> bool {
        self.text.as_bytes().get(self.at..self.at + 2) == Some(b"\\u")
    }

    /// The four digits behind `u`.
    fn unit(&mut self) -> Result<u16, Fault> {
        let digits = self.text.get(self.at + 1..self.at + 5).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return self.syntax();
        }
        self.at += 5;
        u16::from_str_radix(digits, 16).or_else(|_| self.syntax())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return self.syntax();
        }
        let mut fraction = None;
        if self.byte() == Some(b'.') {
            self.at += 1;
            fraction = Some(self.digits()?);
        }
        let exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let survives = match (fraction, exponent) {
            (None, false) => number::integer_survives(whole),
            (fraction, _) => {
                number::double_survives(text, whole, fraction.unwrap_or_default(), exponent)
            }
        };
        survives.then_some(()).ok_or(Rule::Number.at(start))
    }

    fn digits(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at {
            return self.syntax();
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }
}

/// What ends a run of characters that mean themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Quote,
    Escape,
}

/// How many bytes in front are neither a quote, nor a backslash, nor a control. Blocks first, which the compiler widens.
fn plain_run(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    let blocks = bytes.chunks_exact(BLOCK);
    let whole = blocks
        .take_while(|block| {
            !block
                .iter()
                .fold(false, |found, byte| found | special(byte))
        })
        .count();
    let rest = bytes.get(whole * BLOCK..).unwrap_or_default();
    whole * BLOCK + rest.iter().position(special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
