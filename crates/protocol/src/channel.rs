//! Channel names: parsed once at the edge, plain data from then on.

use std::fmt;

use unicode_general_category::{GeneralCategory as Category, get_general_category};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// A name like `chat/lobby`: segments between slashes, at most 255 bytes of UTF-8.
///
/// Refused are empty segments, `.` and `..`, characters that mean something in patterns, URLs or paths (`* { } ? # % \`),
/// control characters, those that cannot be seen or turn text (UTS #39, UAX #9), white space but for a space inside of a
/// segment, what is not assigned or for private use, and a text that is not in NFC (UAX #15).
///
/// INVARIANT: a name has one spelling, which is its bytes. It is refused rather than rewritten, so that what a peer wrote is
/// what it is answered, and no two texts ever stand for one channel. One that merely looks like another is another.
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
        if fits && (text.is_ascii() || is_nfc(text)) {
            Ok(Self(text.into()))
        } else {
            Err(BadChannelName)
        }
    }

    /// Reads what would be a name if it were in NFC: for people who are to be told how to write it.
    #[must_use]
    pub fn suggest(text: &str) -> Option<Self> {
        Self::parse(&text.nfc().collect::<String>()).ok()
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
    match character {
        '*' | '{' | '}' | '?' | '#' | '%' | '\\' => true,
        ' '..='~' => false,
        _ => is_unseen(character) || is_variant(character) || is_unfit(character),
    }
}

/// The variation selectors: not drawn, so that a name with one looks like the name without.
fn is_variant(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// What no name is written with, as is whatever Unicode may yet say otherwise of: NFC is stable for what is assigned alone.
fn is_unfit(character: char) -> bool {
    matches!(
        get_general_category(character),
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::PrivateUse
            | Category::SpaceSeparator
            | Category::Surrogate
            | Category::Unassigned
    )
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
    use proptest::prelude::*;

    /// What is worth trying: letters, what composes with them, what separates and what hides.
    fn texts() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            Just('/'),
            Just('.'),
            Just(' '),
            Just('e'),
            Just('\u{301}'),
            Just('\u{323}'),
            Just('é'),
            Just('\u{212b}'),
            Just('\u{1100}'),
            Just('\u{1161}'),
            any::<char>(),
        ];
        proptest::collection::vec(pieces, 1..12).prop_map(|it| it.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_name_is_its_one_spelling(text in texts()) {
            if let Ok(name) = ChannelName::parse(&text) {
                prop_assert_eq!(name.as_str(), &*text);
                prop_assert_eq!(ChannelName::parse(name.as_str()), Ok(name));
            }
        }

        #[test]
        fn no_two_texts_that_unicode_holds_for_the_same_are_both_names(text in texts()) {
            let forms: [String; 3] = [text.clone(), text.nfc().collect(), text.nfd().collect()];
            let names: std::collections::HashSet<_> =
                forms.iter().filter_map(|it| ChannelName::parse(it).ok()).collect();
            prop_assert!(names.len() <= 1, "{names:?}");
        }

        #[test]
        fn a_name_is_put_together_of_names(text in texts()) {
            let whole = ChannelName::parse(&text).is_ok();
            prop_assert_eq!(whole, text.split('/').all(|it| ChannelName::parse(it).is_ok()));
        }
    }

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
            "❤",
            "chat/c\u{430}fe",
            "ｃhat／lobby",
            "한국/日本",
            "हिन्दी",
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
            "a\u{a0}b",
            "a\u{3000}b",
            "a\tb",
            "a\u{fe0f}",
            "a\u{e0100}",
            "a\u{200d}b",
            "a\u{e000}",
            "a\u{378}",
            "a\u{fffe}",
            "a\u{10ffff}",
            // Not in NFC: decomposed, a singleton, in another order, a syllable in parts.
            "cafe\u{301}",
            "\u{212a}elvin",
            "\u{37e}",
            "a\u{301}\u{323}",
            "\u{1112}\u{1161}",
        ] {
            assert!(ChannelName::parse(name).is_err(), "{name:?}");
        }
        assert!(ChannelName::parse(&"x".repeat(256)).is_err());
        assert!(ChannelName::parse(&"x".repeat(255)).is_ok());
        assert!(ChannelName::parse(&"ö".repeat(128)).is_err(), "bytes count");
    }
}
