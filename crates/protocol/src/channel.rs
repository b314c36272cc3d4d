//! Channel names: parsed once at the edge, plain data from then on.

use std::fmt;

/// A name like `chat/lobby`: segments between slashes, at most 255 bytes of UTF-8.
///
/// Refused are empty segments, `.` and `..`, characters that mean something in patterns, URLs or paths (`* { } ? # % \`),
/// white space at the edges of a segment, control characters, and those that cannot be seen or turn text (UTS #39, UAX #9).
/// Names are compared byte by byte: one that looks like another, or is composed otherwise (UAX #15), is another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Box<str>);

/// The text is no channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a channel name")]
pub struct BadChannelName;

/// The most bytes of a name.
pub const LONGEST: usize = 255;

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

    /// What stands between its slashes: none of it is empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/')
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
        || is_unseen(character)
}

/// Characters that are not drawn (Default_Ignorable_Code_Point, but for the variation selectors of emoji), break lines,
/// or turn the direction of text (Bidi_Control).
#[must_use]
pub fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}'
    ) || matches!(character, '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}')
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(
            character,
            '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
        )
        || matches!(character, '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}')
        || matches!(character, '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
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
            "prototype/__proto__",
            "...",
            "❤\u{fe0f}",
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
            "a\u{85}",
            "a\u{ad}b",
            "a\u{2066}b",
            "a\u{61c}b",
            "a\u{e0041}",
            "a/\u{a0}",
        ] {
            assert!(ChannelName::parse(name).is_err(), "{name:?}");
        }
        assert!(ChannelName::parse(&"x".repeat(256)).is_err());
        assert!(ChannelName::parse(&"x".repeat(255)).is_ok());
        assert!(ChannelName::parse(&"ö".repeat(128)).is_err(), "bytes count");
    }
}
