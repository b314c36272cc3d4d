//! Which rule decides for a channel: the one with the most specific pattern.
//!
//! A pattern is more specific than another if all names that fit it fit the other, too. INVARIANT: of all patterns that fit
//! one name, one is more specific than each of the others, because [`conflicts`] refuses rules of which that is not so. The
//! search leans on it: where a segment is written out in any pattern that fits, it is written out in the most specific one.

use std::collections::HashMap;

use wardwire_protocol::channel::ChannelName;

use super::pattern::{Part, Pattern};

/// The places of patterns in their list, by segments. A look-up costs one step for each segment of a name where patterns
/// begin unlike, however many there are; it goes both ways only where some write out what others leave open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    fixed: HashMap<Box<str>, Tree>,
    hole: Option<Box<Tree>>,
    /// Whose pattern ends here.
    rule: Option<usize>,
}

/// Two patterns that leave open which of them decides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rules {first} and {second}, counted from 0, leave open which decides")]
pub struct Conflict {
    /// The place of the one that stands first.
    pub first: usize,
    /// The place of the other.
    pub second: usize,
    /// The pattern of the channels that fit both; none if they are the same channels.
    pub overlap: Option<Pattern>,
}

/// For each pattern the first before it with which it leaves open which decides: both take the same channels, or some are in
/// both, neither is the more specific, and no pattern is exactly for these.
#[must_use]
pub fn conflicts(patterns: &[&Pattern]) -> Vec<Conflict> {
    let tree = Tree::of(patterns);
    let mut all = Vec::new();
    for (second, pattern) in patterns.iter().enumerate() {
        let mut found: Option<Conflict> = None;
        let mut consider = |first: usize, overlap| {
            if first < second && found.as_ref().is_none_or(|it| first < it.first) {
                found = Some(Conflict {
                    first,
                    second,
                    overlap,
                });
            }
        };
        if let Some(first) = tree.exactly(&pattern.0) {
            consider(first, None);
        }
        tree.each_overlapping(&pattern.0, &mut |first| {
            let Some(other) = patterns.get(first) else {
                return;
            };
            if other.covers(pattern) || pattern.covers(other) {
                return;
            }
            let overlap = other.overlap(pattern);
            if overlap
                .as_ref()
                .is_some_and(|it| tree.exactly(&it.0).is_none())
            {
                consider(first, overlap);
            }
        });
        all.extend(found);
    }
    all
}

impl Tree {
    /// Of two patterns for the same channels, the first stands in it.
    pub(super) fn of(patterns: &[&Pattern]) -> Self {
        let mut tree = Self::default();
        for (index, pattern) in patterns.iter().enumerate() {
            let mut at = &mut tree;
            for part in &pattern.0 {
                at = match part {
                    Part::Fixed(text) => at.fixed.entry(text.clone()).or_default(),
                    Part::Hole(_) => at.hole.get_or_insert_default(),
                };
            }
            at.rule.get_or_insert(index);
        }
        tree
    }

    /// The place of the most specific pattern that a name fits.
    pub(super) fn most_specific(&self, channel: &ChannelName) -> Option<usize> {
        self.search(channel.segments())
    }

    /// No deeper than a pattern has segments, which [`Pattern::parse`] bounds.
    fn search<'a>(&self, mut segments: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
        let Some(segment) = segments.next() else {
            return self.rule;
        };
        let written_out = self.fixed.get(segment);
        written_out
            .and_then(|tree| tree.search(segments.clone()))
            .or_else(|| self.hole.as_ref()?.search(segments))
    }

    /// The place of the pattern for exactly these channels, whatever its holes are called.
    fn exactly(&self, parts: &[Part]) -> Option<usize> {
        let mut at = self;
        for part in parts {
            at = match part {
                Part::Fixed(text) => at.fixed.get(text)?,
                Part::Hole(_) => at.hole.as_ref()?,
            };
        }
        at.rule
    }

    fn each_overlapping(&self, parts: &[Part], visit: &mut impl FnMut(usize)) {
        let Some((part, rest)) = parts.split_first() else {
            self.rule.into_iter().for_each(visit);
            return;
        };
        match part {
            Part::Fixed(text) => {
                if let Some(tree) = self.fixed.get(text) {
                    tree.each_overlapping(rest, visit);
                }
            }
            Part::Hole(_) => {
                for tree in self.fixed.values() {
                    tree.each_overlapping(rest, visit);
                }
            }
        }
        if let Some(tree) = &self.hole {
            tree.each_overlapping(rest, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(patterns: &[&str]) -> Vec<Pattern> {
        let each = patterns.iter().map(|it| Pattern::parse(it).unwrap());
        each.collect()
    }

    /// Each as `first second overlap`.
    fn said(patterns: &[&str]) -> Vec<String> {
        let patterns = parse(patterns);
        let line = |it: &Conflict| {
            let overlap = it.overlap.as_ref().map(ToString::to_string);
            let (first, second) = (it.first, it.second);
            format!("{first} {second} {}", overlap.as_deref().unwrap_or("same"))
        };
        let found = conflicts(&patterns.iter().collect::<Vec<_>>());
        found.iter().map(line).collect()
    }

    #[test]
    fn two_patterns_of_which_neither_is_more_specific_are_a_conflict_unless_a_third_settles_it() {
        assert_eq!(said(&["{a}/x", "y/{b}"]), ["0 1 y/x"]);
        assert!(said(&["{a}/x", "y/{b}", "y/x"]).is_empty());
        assert!(said(&["y/x", "{a}/x", "y/{b}"]).is_empty());
        assert_eq!(said(&["chat/{a}", "chat/{b}"]), ["0 1 same"]);
        assert_eq!(said(&["a", "a", "a"]), ["0 1 same", "0 2 same"]);
        assert!(said(&["chat/{a}", "chat/x", "{c}/{d}"]).is_empty());
        // What settles it has to be for all of the overlap, not for some of it.
        assert_eq!(said(&["{a}/x/{c}", "y/{b}/{c}", "y/x/z"]), ["0 1 y/x/{c}"]);
    }

    #[test]
    fn thousands_of_rules_are_looked_up_by_segment() {
        let mut patterns: Vec<String> = (0..5000).map(|n| format!("room-{n}/{{x}}")).collect();
        patterns.extend((0..5000).map(|n| format!("room-{n}/lobby")));
        let patterns: Vec<_> = patterns
            .iter()
            .map(|it| Pattern::parse(it).unwrap())
            .collect();
        let patterns: Vec<_> = patterns.iter().collect();
        assert!(conflicts(&patterns).is_empty());
        let tree = Tree::of(&patterns);
        let find = |name: &str| tree.most_specific(&ChannelName::parse(name).unwrap());
        assert_eq!(find("room-4999/lobby"), Some(9999));
        assert_eq!(find("room-4999/other"), Some(4999));
        assert_eq!(find("room-5000/lobby"), None);
    }

    fn pattern() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(vec!["a", "b", "{x}", "{y}", "{z}"]);
        let names = prop::collection::vec(segment, 1..4);
        names.prop_filter_map("a hole twice", |parts| {
            let text = parts.join("/");
            Pattern::parse(&text).is_ok().then_some(text)
        })
    }

    fn name() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4)
            .prop_map(|parts| parts.join("/"))
    }

    /// Whether a name fits, told without the code above.
    fn fits(pattern: &str, name: &str) -> bool {
        let (pattern, name): (Vec<_>, Vec<_>) =
            (pattern.split('/').collect(), name.split('/').collect());
        pattern.len() == name.len()
            && pattern
                .iter()
                .zip(&name)
                .all(|(part, segment)| part.starts_with('{') || part == segment)
    }

    /// All names of the alphabet with up to three segments.
    fn names() -> Vec<String> {
        let letters = ["a", "b", "c"];
        let one: Vec<String> = letters.map(str::to_owned).into();
        let longer = |shorter: &[String]| -> Vec<String> {
            let each = shorter.iter();
            each.flat_map(|it| letters.map(|last| format!("{it}/{last}")))
                .collect()
        };
        let (two, three) = (longer(&one), longer(&longer(&one)));
        [one, two, three].concat()
    }

    /// The only one among those that fit a name of which every name fits all the others, and nothing if there is none such.
    fn naive(patterns: &[String], name: &str) -> Result<Option<usize>, ()> {
        let fitting: Vec<usize> = (0..patterns.len())
            .filter(|at| fits(&patterns[*at], name))
            .collect();
        if fitting.is_empty() {
            return Ok(None);
        }
        let within = |one: usize, other: usize| {
            let mut all = names().into_iter();
            all.all(|name| !fits(&patterns[one], &name) || fits(&patterns[other], &name))
        };
        let least: Vec<usize> = fitting
            .iter()
            .copied()
            .filter(|one| fitting.iter().all(|other| within(*one, *other)))
            .collect();
        match &*least {
            [only] => Ok(Some(*only)),
            _ => Err(()),
        }
    }

    proptest! {
        #[test]
        fn the_most_specific_decides_wherever_it_stands(
            patterns in prop::collection::vec(pattern(), 1..7),
            name in name(),
        ) {
            let parsed = parse(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
            let parsed: Vec<_> = parsed.iter().collect();
            if conflicts(&parsed).is_empty() {
                let found = Tree::of(&parsed).most_specific(&ChannelName::parse(&name).unwrap());
                prop_assert_eq!(Ok(found), naive(&patterns, &name));
            } else {
                let open = names().iter().any(|it| naive(&patterns, it).is_err());
                prop_assert!(open, "refused without need");
            }
        }
    }
}
