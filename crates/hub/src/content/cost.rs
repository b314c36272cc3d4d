//! What judging a value can take, known before the first is judged.
//!
//! A validator looks at a value once for each way that leads to it through the schema. With `allOf`, `anyOf` and references
//! there can be several ways, and in a schema that refers to itself each of them can double with every level: a small
//! publication, thirty levels deep, would then keep a core busy for hours. So the ways are counted at load, level by level,
//! and at each publication its values are counted against them.

use serde_json::Value;
use wardwire_protocol::json::DEPTH;

use super::{BadSchema, keywords::Inner, survey::Survey};

/// What one publication may take, in looks. A look is some tens of nanoseconds, and up to 300 where its outcome is kept for
/// an error or for sanitising.
const LOOKS: u64 = 200_000;
/// How often one value may be looked at. More is a mistake in the schema.
const WAYS: u64 = 1000;
/// So many bytes against one regular expression count as a look.
const BYTES: u64 = 16;
/// So many bytes of the way to a value make each look at it one dearer: the validator writes that way out.
const WAY: u64 = 64;

/// The most looks at a value, by how deep it lies.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    levels: Vec<Ways>,
}

/// How often one value can be looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Ways {
    looks: u64,
    /// And its text, by a regular expression.
    patterns: u64,
}

impl Ways {
    fn and(self, other: Self) -> Self {
        Self {
            looks: self.looks.saturating_add(other.looks),
            patterns: self.patterns.saturating_add(other.patterns),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            looks: self.looks.max(other.looks),
            patterns: self.patterns.max(other.patterns),
        }
    }
}

/// One schema whose part in a level is being added up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Done,
}

impl Cost {
    /// Counts the ways.
    pub(super) fn of(survey: &Survey) -> Result<Self, BadSchema> {
        let order = in_order(survey)?;
        let mut levels = Vec::with_capacity(DEPTH + 1);
        let mut below: Vec<Ways> = Vec::new();
        for level in 0..=DEPTH {
            let mut ways = vec![Ways::default(); survey.schemas.len()];
            for at in &order {
                let own = own(survey, *at, level, &below, &ways);
                if let Some(slot) = ways.get_mut(*at) {
                    *slot = own;
                }
            }
            let whole = ways.first().copied().unwrap_or_default();
            if whole.looks > WAYS {
                let why = format!(
                    "one value {level} levels deep could be looked at more than {WAYS} times: let fewer schemas that hold each other stand in `allOf`, `anyOf` and `oneOf`"
                );
                return Err(BadSchema::new(String::new(), why));
            }
            levels.push(whole);
            below = ways;
        }
        Ok(Self { levels })
    }

    /// Whether a value takes no more than one publication may.
    pub(super) fn affords(&self, value: &Value) -> bool {
        let mut left = LOOKS;
        self.spend(value, 0, 0, &mut left)
    }

    /// What is left after a value so many levels down, at the end of a JSON Pointer of about so many bytes.
    ///
    /// INVARIANT: a publication is no deeper than [`DEPTH`], which ends the recursion.
    fn spend(&self, value: &Value, level: usize, way: u64, left: &mut u64) -> bool {
        let ways = self.levels.get(level).copied().unwrap_or_default();
        let mut price = ways.looks.max(1).saturating_mul(1 + way / WAY);
        let text = |text: &str| (text.len() as u64 / BYTES).saturating_mul(ways.patterns);
        if let Value::String(own) = value {
            price = price.saturating_add(text(own));
        }
        let Some(rest) = left.checked_sub(price) else {
            return false;
        };
        *left = rest;
        match value {
            Value::Array(items) => {
                let way = way + 8;
                items
                    .iter()
                    .all(|item| self.spend(item, level + 1, way, left))
            }
            Value::Object(members) => {
                let inside = self.levels.get(level + 1).copied().unwrap_or_default();
                members.iter().all(|(name, item)| {
                    // `~` and `/` are written as two.
                    let doubled = name
                        .bytes()
                        .filter(|byte| matches!(byte, b'~' | b'/'))
                        .count();
                    let way = way + 1 + (name.len() + doubled) as u64;
                    // A name is matched by the patterns of what is inside, whether or not it fits one.
                    let name = (name.len() as u64 / BYTES).saturating_mul(inside.patterns);
                    let rest = left.checked_sub(name);
                    rest.map(|rest| *left = rest).is_some()
                        && self.spend(item, level + 1, way, left)
                })
            }
            _ => true,
        }
    }
}

/// What one schema, and those it leads to for the same value, take at a value so many levels further down.
fn own(survey: &Survey, at: usize, level: usize, below: &[Ways], done: &[Ways]) -> Ways {
    let Some(schema) = survey.schemas.get(at) else {
        return Ways::default();
    };
    let own = match level {
        0 => Ways {
            looks: schema.weight,
            patterns: schema.patterns,
        },
        _ => inside(&schema.inner, below),
    };
    let same = schema.same.iter().filter_map(|at| done.get(*at));
    same.fold(own, |sum, ways| sum.and(*ways))
}

/// The most that any one inner value takes: it is one member or element, but all those that are for others too may take it.
fn inside(inner: &[(Inner, usize)], below: &[Ways]) -> Ways {
    let [mut member, mut element, mut members, mut elements] = [Ways::default(); 4];
    for (kind, at) in inner {
        let mut ways = below.get(*at).copied().unwrap_or_default();
        match kind {
            Inner::Member => member = member.or(ways),
            Inner::Element => element = element.or(ways),
            Inner::MemberToo => {
                // The name's own pattern.
                ways.patterns = ways.patterns.saturating_add(1);
                members = members.and(ways);
            }
            Inner::Name => members = members.and(ways),
            Inner::ElementToo => elements = elements.and(ways),
        }
    }
    member.and(members).or(element.and(elements))
}

/// The schemas, each behind those that it leads to for the same value. One that leads back to itself would never come to an
/// end.
fn in_order(survey: &Survey) -> Result<Vec<usize>, BadSchema> {
    let mut marks: Vec<Option<Mark>> = vec![None; survey.schemas.len()];
    let mut order = Vec::with_capacity(marks.len());
    for start in 0..survey.schemas.len() {
        let mut stack = vec![(start, false)];
        while let Some((at, left)) = stack.pop() {
            let (Some(mark), Some(schema)) = (marks.get_mut(at), survey.schemas.get(at)) else {
                continue;
            };
            if left {
                *mark = Some(Mark::Done);
                order.push(at);
                continue;
            }
            match *mark {
                Some(Mark::Done) => continue,
                Some(Mark::Open) => {
                    return Err(BadSchema::new(
                        schema.pointer.clone(),
                        "it leads back to itself for the same value, and never comes to an end",
                    ));
                }
                None => *mark = Some(Mark::Open),
            }
            stack.push((at, true));
            let next = schema.same.iter();
            // Doubled ones are open twice at once, but only done once.
            let mut next: Vec<usize> = next.copied().collect();
            next.sort_unstable();
            next.dedup();
            stack.extend(next.into_iter().map(|at| (at, false)));
        }
    }
    Ok(order)
}
