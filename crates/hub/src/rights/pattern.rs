//! Which channels a rule is for: names with holes.

use wardwire_protocol::channel::{ChannelName, LONGEST};

/// Channel names with holes: `chat/{room}`. A hole takes one whole segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub(super) Box<[Part]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Fixed(Box<str>),
    Hole(Box<str>),
}

/// A channel that fits a pattern, and so what the pattern's holes took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) channel: &'a ChannelName,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Not a channel name when its holes are filled.
    #[error("{0:?} is not a channel name with holes like {{room}}")]
    Shape(String),
    /// Not as a name is spelt.
    #[error("{0:?} is not a channel name: in NFC (UAX #15) it would be {1}")]
    Form(String, ChannelName),
    /// Two holes of one name.
    #[error("{{{0}}} stands twice")]
    Twice(String),
    /// No channel name is long enough for it.
    #[error("it is longer than any channel name, which has at most {LONGEST} bytes")]
    Long,
}

impl BadPattern {
    /// What is wrong with a segment that is neither a hole nor a name.
    fn of(text: &str, segment: &str) -> Self {
        match ChannelName::suggest(segment) {
            Some(name) => Self::Form(segment.to_owned(), name),
            None => Self::Shape(text.to_owned()),
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is none, or no name could fit it.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let mut parts: Vec<Part> = Vec::new();
        for segment in text.split('/') {
            let hole = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let part = match hole {
                Some(name) if is_hole(name) => Part::Hole(name.into()),
                Some(_) => return Err(BadPattern::Shape(text.to_owned())),
                None if ChannelName::parse(segment).is_ok() => Part::Fixed(segment.into()),
                None => return Err(BadPattern::of(text, segment)),
            };
            if matches!(part, Part::Hole(_)) && parts.contains(&part) {
                return Err(BadPattern::Twice(hole.unwrap_or_default().to_owned()));
            }
            parts.push(part);
        }
        let least: usize = parts.iter().map(|part| part.least() + 1).sum();
        if least > LONGEST + 1 {
            return Err(BadPattern::Long);
        }
        Ok(Self(parts.into()))
    }

    /// Whether a pattern has this hole.
    #[must_use]
    pub fn has_hole(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Hole(hole) if **hole == *name))
    }

    /// Whether every name that fits `other` fits this one too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let covered = |(own, other): (&Part, &Part)| matches!(own, Part::Hole(_)) || own == other;
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(covered)
    }

    /// The pattern of the names that fit both, if there are any.
    pub(super) fn overlap(&self, other: &Self) -> Option<Self> {
        let both = |(own, other): (&Part, &Part)| match (own, other) {
            (Part::Hole(_), other) => Some(other.clone()),
            (own, Part::Hole(_)) => Some(own.clone()),
            (own, other) => (own == other).then(|| own.clone()),
        };
        let parts = self.0.iter().zip(&other.0).map(both);
        (self.0.len() == other.0.len())
            .then(|| parts.collect::<Option<Box<_>>>().map(Self))
            .flatten()
    }
}

impl Part {
    /// The fewest bytes that it takes.
    fn least(&self) -> usize {
        match self {
            Self::Fixed(text) => text.len(),
            Self::Hole(_) => 1,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "/" })?;
            match part {
                Part::Fixed(text) => f.write_str(text)?,
                Part::Hole(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

impl<'a> Fit<'a> {
    /// What a hole took: never nothing, as no segment of a name is empty. None if the pattern has no such hole.
    pub(super) fn took(&self, hole: &str) -> Option<&'a str> {
        let is_it = |part: &Part| matches!(part, Part::Hole(name) if **name == *hole);
        let at = self.pattern.0.iter().position(is_it)?;
        self.channel.segments().nth(at)
    }
}

fn is_hole(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_takes_one_whole_segment() {
        let (pattern, channel) = (
            Pattern::parse("chat/{room}/{seat}").unwrap(),
            ChannelName::parse("chat/lobby/7").unwrap(),
        );
        let fit = Fit {
            pattern: &pattern,
            channel: &channel,
        };
        assert_eq!(fit.took("room"), Some("lobby"));
        assert_eq!(fit.took("seat"), Some("7"));
        assert_eq!(fit.took("chat"), None);
        for bad in ["", "a//b", "{}", "{a b}", "a{b}", "*", "a/..", "{a}/{a}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_that_no_name_can_fit_is_none() {
        let holes = |count: usize| {
            let names: Vec<_> = (0..count).map(|n| format!("{{h{n}}}")).collect();
            Pattern::parse(&names.join("/"))
        };
        assert!(holes(128).is_ok(), "128 letters and 127 slashes");
        assert_eq!(holes(129), Err(BadPattern::Long));
    }

    #[test]
    fn patterns_overlap_where_a_name_can_fit_both() {
        let parse = |text: &str| Pattern::parse(text).unwrap();
        for (one, other, both) in [
            ("chat/{a}", "chat/x", Some("chat/x")),
            ("{a}/x", "y/{b}", Some("y/x")),
            ("{a}/x/{c}", "y/{b}/{d}", Some("y/x/{d}")),
            ("chat/{a}", "{a}/b/c", None),
            ("chat/{a}", "news/{a}", None),
        ] {
            let overlap = parse(one).overlap(&parse(other));
            assert_eq!(overlap.map(|it| it.to_string()).as_deref(), both);
        }
        assert!(parse("chat/{a}").covers(&parse("chat/x")));
        assert!(!parse("chat/x").covers(&parse("chat/{a}")));
        assert!(!parse("{a}").covers(&parse("{a}/{b}")));
    }
}
