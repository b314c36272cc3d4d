//! `application/x-www-form-urlencoded` (URL Standard §5): written for a provider, and read strictly of a browser or a
//! provider. Nothing is read twice in two ways: a name that stands twice is refused, as is what does not decode.

use std::collections::HashMap;

/// Names and values under construction.
#[derive(Default)]
pub(crate) struct Pairs(String);

impl Pairs {
    /// One more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode(name, &mut self.0);
        self.0.push('=');
        encode(value, &mut self.0);
        self
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Appends a text so that nothing in it means anything.
pub(super) fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

/// The most pairs of one query or body.
const PAIRS: usize = 32;

/// Reads a query or a body.
///
/// # Errors
/// A name twice, too many, or what is not the encoding of UTF-8.
pub(super) fn read(text: &str) -> Result<HashMap<String, String>, &'static str> {
    let mut pairs = HashMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = decode(name).zip(decode(value));
        let (name, value) = decoded.ok_or("a parameter does not decode")?;
        if pairs.insert(name, value).is_some() {
            return Err("a parameter stands twice");
        }
        if pairs.len() > PAIRS {
            return Err("too many parameters");
        }
    }
    Ok(pairs)
}

fn decode(text: &str) -> Option<String> {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_read_again() {
        let odd = "a b+c&d=e%f/\u{e9}\u{1f600}\0\r\n?#;";
        let text = Pairs::default().with(odd, odd).with("x", "").into_text();
        assert!(text.bytes().all(|it| it.is_ascii_graphic()) && !text.contains(['#', '?', ';']));
        let read = read(&text).unwrap();
        assert_eq!((read[odd].as_str(), read["x"].as_str()), (odd, ""));
    }

    #[test]
    fn what_two_readers_could_take_for_two_things_is_refused() {
        for text in [
            "a=1&a=2",
            "a=1&%61=2",
            "a=%",
            "a=%4",
            "a=%zz",
            "a=%ff",
            "%c3=1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let many: String = (0..=PAIRS).map(|n| format!("p{n}=&")).collect();
        assert!(read(&many).is_err());
        assert!(read("").unwrap().is_empty());
    }
}
