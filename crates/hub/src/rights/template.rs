//! Values of rights with holes, `room-{room}`.

use std::borrow::Cow;

use super::pattern::Fit;

/// A text with holes, which stand for what the holes of the pattern took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(super) Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Box<str>),
    Hole(Box<str>),
}

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// It would ask for nothing.
    #[error("it is empty")]
    Empty,
    /// A brace without the other, or one in another.
    #[error("its braces do not pair")]
    Braces,
    /// What two holes took could be told apart in two ways: `{a}{b}` is `xyz` for `x` and `yz` as for `xy` and `z`.
    #[error(
        "two of its holes have no / between them, so that one value could stand for several channels"
    )]
    Adjacent,
}

impl Template {
    /// Reads a template. Between two holes stands a `/`, which no segment of a name has, so that no two channels of a pattern
    /// come to the same text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (hole, behind) = after.split_once('}').ok_or(BadTemplate::Braces)?;
            if before.contains('}') || hole.contains('{') || hole.is_empty() {
                return Err(BadTemplate::Braces);
            }
            if !pieces.is_empty() && !before.contains('/') {
                return Err(BadTemplate::Adjacent);
            }
            pieces.extend(literal(before));
            pieces.push(Piece::Hole(hole.into()));
            rest = behind;
        }
        if rest.contains('}') {
            return Err(BadTemplate::Braces);
        }
        pieces.extend(literal(rest));
        match pieces.is_empty() {
            true => Err(BadTemplate::Empty),
            false => Ok(Self(pieces.into())),
        }
    }

    /// The names of its holes.
    pub fn holes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Hole(name) => Some(&**name),
            Piece::Text(_) => None,
        })
    }

    /// Puts what the pattern's holes took in their places. None if the pattern lacks one: half a value would be another's.
    pub(super) fn fill<'a>(&'a self, fit: &Fit<'a>) -> Option<Cow<'a, str>> {
        let piece = |piece: &'a Piece| match piece {
            Piece::Text(text) => Some(&**text),
            Piece::Hole(name) => fit.took(name),
        };
        if let [only] = &*self.0 {
            return piece(only).map(Cow::Borrowed);
        }
        self.0
            .iter()
            .map(piece)
            .collect::<Option<String>>()
            .map(Cow::Owned)
    }
}

fn literal(text: &str) -> Option<Piece> {
    (!text.is_empty()).then(|| Piece::Text(text.into()))
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Hole(name) => write!(f, "{{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use wardwire_protocol::channel::ChannelName;

    use super::*;
    use crate::rights::Pattern;

    #[test]
    fn what_a_hole_took_is_filled_in_once_and_a_missing_one_leaves_no_value() {
        let pattern = Pattern::parse("chat/{x}/{y}").unwrap();
        let channel = ChannelName::parse("chat/1/2").unwrap();
        let fit = Fit {
            pattern: &pattern,
            channel: &channel,
        };
        let fill = |text: &str| {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.to_string(), text);
            template.fill(&fit).map(Cow::into_owned)
        };
        assert_eq!(fill("a-{x}/{y}-b").as_deref(), Some("a-1/2-b"));
        assert_eq!(fill("{y}").as_deref(), Some("2"));
        assert_eq!(fill("plain").as_deref(), Some("plain"));
        assert_eq!(fill("{z}"), None);
        assert_eq!(fill("room-{z}"), None);
    }

    #[test]
    fn a_template_that_two_channels_could_share_is_refused() {
        for (text, why) in [
            ("", BadTemplate::Empty),
            ("{a}{b}", BadTemplate::Adjacent),
            ("{a}-{b}", BadTemplate::Adjacent),
            ("{a", BadTemplate::Braces),
            ("a}", BadTemplate::Braces),
            ("{}", BadTemplate::Braces),
            ("{{a}}", BadTemplate::Braces),
            ("}{a}", BadTemplate::Braces),
        ] {
            assert_eq!(Template::parse(text), Err(why), "{text}");
        }
        assert!(Template::parse("{a}/-{b}").is_ok());
    }
}
