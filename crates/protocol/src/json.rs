//! JSON that every reader reads alike (RFC 8259, RFC 7493): one pass over the text, refusing what parsers differ on.
//!
//! Refused are doubled keys, keys that reach into JavaScript's prototypes, deep nesting, numbers that a double cannot
//! hold, and halves of surrogate pairs. What passes can be handed on as it stands.

use std::{borrow::Cow, collections::HashSet};

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    /// More than [`DEPTH`] objects and arrays inside each other.
    #[error("nested too deeply at byte {0}")]
    Depth(usize),
    /// The same key twice in an object, however it is escaped.
    #[error("a key stands twice at byte {0}")]
    DuplicateKey(usize),
    /// `__proto__`, `constructor` or `prototype` as a key.
    #[error("a key that is not allowed at byte {0}")]
    ForbiddenKey(usize),
    /// An integer beyond ±(2^53 - 1), more than 17 significant digits, or beyond the range of a double (RFC 7493 §2.2).
    #[error("a number that does not survive at byte {0}")]
    Number(usize),
    /// A `\u` escape of half a surrogate pair (RFC 7493 §2.1).
    #[error("half a surrogate pair at byte {0}")]
    Surrogate(usize),
}

/// How deep objects and arrays may be nested.
pub const DEPTH: usize = 32;
const FORBIDDEN: [&str; 3] = ["__proto__", "constructor", "prototype"];
/// 2^53 - 1, the largest integer that JavaScript counts exactly.
const LARGEST: u64 = 9_007_199_254_740_991;
/// What it takes to tell any two doubles apart.
const DIGITS: usize = 17;

/// Checks a whole text.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn check(text: &str) -> Result<(), JsonError> {
    let mut scan = Scan { text, at: 0 };
    scan.value(0)?;
    if scan.peek().is_some() {
        Err(JsonError::Syntax(scan.at))
    } else {
        Ok(())
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
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

    fn syntax<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.at))
    }

    /// INVARIANT: recursion ends at [`DEPTH`].
    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH => Err(JsonError::Depth(self.at)),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.syntax(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        let mut keys: HashSet<Cow<'a, str>> = HashSet::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.syntax();
            }
            let at = self.at;
            let key = self.string()?;
            if FORBIDDEN.contains(&&*key) {
                return Err(JsonError::ForbiddenKey(at));
            }
            if !keys.insert(key) {
                return Err(JsonError::DuplicateKey(at));
            }
            if self.peek() != Some(b':') {
                return self.syntax();
            }
            self.at += 1;
            self.value(depth)?;
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    /// A comma, or the end of the container.
    fn ends(&mut self, end: u8) -> Result<bool, JsonError> {
        let ended = match self.peek() {
            Some(b',') => false,
            Some(byte) if byte == end => true,
            _ => return self.syntax(),
        };
        self.at += 1;
        Ok(ended)
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        let here = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !here.starts_with(word.as_bytes()) {
            return self.syntax();
        }
        self.at += word.len();
        Ok(())
    }

    /// A string without its quotes; unescaped, and then owned, where it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut copied = start;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let rest = self.text.get(copied..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(match owned {
                        Some(text) => Cow::Owned(text + rest),
                        None => Cow::Borrowed(rest),
                    });
                }
                Some(b'\\') => {
                    let before = self.text.get(copied..self.at).unwrap_or_default();
                    let text = owned.get_or_insert_default();
                    text.push_str(before);
                    let character = self.escape()?;
                    text.push(character);
                    copied = self.at;
                }
                Some(0..=0x1F) | None => return self.syntax(),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
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
                let high = self.unit()?;
                let units = if (0xD800..0xDC00).contains(&high) && self.follows_escape() {
                    self.at += 1;
                    vec![high, self.unit()?]
                } else {
                    vec![high]
                };
                let mut decoded = char::decode_utf16(units);
                return match (decoded.next(), decoded.next()) {
                    (Some(Ok(character)), None) => Ok(character),
                    _ => Err(JsonError::Surrogate(at)),
                };
            }
            _ => return self.syntax(),
        };
        self.at += 1;
        Ok(plain)
    }

    fn follows_escape(&self) -> bool {
        self.text.as_bytes().get(self.at..self.at + 2) == Some(b"\\u")
    }

    /// The four digits behind `u`.
    fn unit(&mut self) -> Result<u16, JsonError> {
        let digits = self.text.get(self.at + 1..self.at + 5).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return self.syntax();
        }
        self.at += 5;
        u16::from_str_radix(digits, 16).or_else(|_| self.syntax())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return self.syntax();
        }
        let mut integer = true;
        let mut fraction = "";
        if self.byte() == Some(b'.') {
            self.at += 1;
            fraction = self.digits()?;
            integer = false;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            integer = false;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let survives = if integer {
            whole.parse::<u64>().is_ok_and(|value| value <= LARGEST)
        } else {
            survives(text, whole, fraction)
        };
        if survives {
            Ok(())
        } else {
            Err(JsonError::Number(start))
        }
    }

    fn digits(&mut self) -> Result<&'a str, JsonError> {
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

/// Whether a double holds it: in range, and with no more digits than a double tells apart. Zeros that only pad, in front
/// or behind, do not count as digits.
fn survives(text: &str, whole: &str, fraction: &str) -> bool {
    let digits = [whole, fraction].concat();
    let significant = digits.trim_matches('0').len();
    let value: f64 = text.parse().unwrap_or(f64::INFINITY);
    significant <= DIGITS && value.is_finite() && (value != 0.0 || significant == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_json_passes() {
        for text in [
            "{}",
            "[]",
            " [1, -2.5, 0.1, 1e3, 0, -0, true, false, null] ",
            r#""\ud83d\ude00 \u0000""#,
            r#"{"a":{"a":1},"":[{}]}"#,
            "9007199254740991",
            "1.7976931348623157e308",
            "5e-324",
            "1.50000000000000000000000",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn keys_are_compared_as_they_are_meant() {
        assert!(matches!(
            check(r#"{"a":1,"a":2}"#),
            Err(JsonError::DuplicateKey(7))
        ));
        assert!(matches!(
            check(r#"{"a":1,"\u0061":2}"#),
            Err(JsonError::DuplicateKey(_))
        ));
        for key in ["__proto__", r"\u005f_proto__", "constructor", "prototype"] {
            let text = format!(r#"[{{"x":{{"{key}":1}}}}]"#);
            assert!(
                matches!(check(&text), Err(JsonError::ForbiddenKey(_))),
                "{text}"
            );
        }
        assert_eq!(
            check(r#"["__proto__"]"#),
            Ok(()),
            "as a value it is plain text"
        );
    }

    #[test]
    fn depth_is_bounded_also_for_a_million_brackets() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(&nested(DEPTH)), Ok(()));
        assert!(matches!(
            check(&nested(DEPTH + 1)),
            Err(JsonError::Depth(_))
        ));
        assert!(matches!(
            check(&"[".repeat(1_000_000)),
            Err(JsonError::Depth(_))
        ));
    }

    #[test]
    fn numbers_that_change_on_the_way_are_refused() {
        for text in [
            "9007199254740992",
            "-9007199254740992",
            "1e400",
            "-1e400",
            "1e-400",
            "0.1234567890123456789",
            "123456789012345678.5",
            "100000000000000000000",
        ] {
            assert!(matches!(check(text), Err(JsonError::Number(_))), "{text}");
        }
    }

    #[test]
    fn halves_of_surrogate_pairs_are_refused() {
        for text in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800x""#,
            r#""\ud800\u0041""#,
            r#"{"\udfff":1}"#,
        ] {
            assert!(
                matches!(check(text), Err(JsonError::Surrogate(_))),
                "{text}"
            );
        }
    }

    fn lenient(error: JsonError) -> bool {
        !matches!(error, JsonError::Syntax(_))
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_on_what_is_json(text in r#"[\[\]{}:,"\\u0-9aeE+. -]{0,24}|\PC{0,12}"#) {
            let known = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            match check(&text) {
                Ok(()) => prop_assert!(known, "{}", text),
                Err(error) if lenient(error) => {}
                Err(_) => prop_assert!(!known, "{}", text),
            }
        }
    }
}
