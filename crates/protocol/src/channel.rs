//! Channel names: parsed once at the edge, plain data from then on.

use std::fmt;

/// A name like `chat/lobby`: segments between slashes, at most 255 bytes of UTF-8.
///
/// Refused are empty segments, `.` and `..`, characters that mean something in patterns, URLs or paths (`* { } ? # % \`),
/// white space at the edges of a segment, control characters, and those that hide or turn text (UTS #39, UAX #9).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Box<str>);

/// The text is no channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a channel name")]
pub struct BadChannelName;

const LONGEST: usize = 255;

impl ChannelName {
    /// Reads a name.
    ///
    /// # Errors
    /// It breaks a rule above.
    pub fn parse(text: &str) -> Result<Self, BadChannelName> {
        let fits = text.len() <= LONGEST && text.split('/').all(is_segment);
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(BadChannelName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.trim() == segment
        && !segment.contains(is_refused)
}

fn is_refused(character: char) -> bool {
    character.is_control()
        || matches!(character, '*' | '{' | '}' | '?' | '#' | '%' | '\\')
        || matches!(character, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_data() {
        for name in [
            "chat/lobby",
            "__proto__",
            "constructor",
            "a b",
            "räume/öl",
            "x'; DROP TABLE",
            "<b>",
        ] {
            assert_eq!(ChannelName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_mean_more_than_itself_is_refused() {
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "..",
            ".",
            "a/%2e%2e/b",
            "a\\b",
            "chat/*",
            "chat/{room}",
            "a?",
            "a#b",
            "a\0b",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{feff}a",
            " a",
            "a /b",
            "a\u{7f}",
        ] {
            assert!(ChannelName::parse(name).is_err(), "{name:?}");
        }
        assert!(ChannelName::parse(&"x".repeat(256)).is_err());
        assert!(ChannelName::parse(&"x".repeat(255)).is_ok());
    }
}
