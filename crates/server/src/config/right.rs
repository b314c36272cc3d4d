//! Rights and presence, as they are written in the file: `"anyone"`, `{ scope = "chat:write" }`, `{ any = [..] }`.
//!
//! They are read by hand, as serde says of a value that can be many things only that it is none of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::unknown::nearest;

/// `channel.subscribe`, `channel.publish`, `channel.history.read`, `channel.presence.see`
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(rename = "right", extend("x-type" = "right"))]
pub enum Right {
    /// Whoever it is.
    Plain(PlainRight),
    /// Whoever's token has this among the scopes of its `scope`: `{ scope = "chat:write" }`.
    Scope(ScopeRight),
    /// Whoever's token has a claim that is an array with this string: `{ claim = "rooms", contains = "{room}" }`.
    Contains(ContainsRight),
    /// Whoever's token has a claim that is this string: `{ claim = "sub", equals = "{user}" }`.
    Equals(EqualsRight),
    /// Whoever has one of these rights.
    Any(AnyRight),
    /// Whoever has all of these rights.
    All(AllRight),
}

impl Default for Right {
    fn default() -> Self {
        Self::Plain(PlainRight::Nobody)
    }
}

/// A right without a claim.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlainRight {
    /// Nobody.
    Nobody,
    /// Whoever is signed in.
    Authenticated,
    /// Whoever has a socket, anonymous ones too.
    Anyone,
    /// No socket, but the application's own backend (`[backend]`).
    Server,
    /// Whoever's token names the channel and this action, in its claim `channels`.
    Granted,
}

impl PlainRight {
    const ALL: [(&'static str, Self); 5] = [
        ("nobody", Self::Nobody),
        ("authenticated", Self::Authenticated),
        ("anyone", Self::Anyone),
        ("server", Self::Server),
        ("granted", Self::Granted),
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        let own = Self::ALL.into_iter().find(|(_, it)| *it == self);
        own.map_or("nobody", |(name, _)| name)
    }
}

/// A scope.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(extend("additionalProperties" = false))]
pub struct ScopeRight {
    /// One of the scopes in the token's `scope`; `{room}` stands for what the pattern's hole took.
    #[schemars(length(min = 1))]
    pub scope: String,
}

/// A claim that is an array.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(extend("additionalProperties" = false))]
pub struct ContainsRight {
    /// The claim's name.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// One of its elements; `{room}` stands for what the pattern's hole took.
    #[schemars(length(min = 1))]
    pub contains: String,
}

/// A claim that is a string.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(extend("additionalProperties" = false))]
pub struct EqualsRight {
    /// The claim's name.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// Its value; `{user}` stands for what the pattern's hole took.
    #[schemars(length(min = 1))]
    pub equals: String,
}

/// One of several.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(extend("additionalProperties" = false))]
pub struct AnyRight {
    /// The rights of which one is enough.
    #[schemars(length(min = 1, max = 32))]
    pub any: Vec<Right>,
}

/// All of several.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(extend("additionalProperties" = false))]
pub struct AllRight {
    /// The rights that it takes together.
    #[schemars(length(min = 1, max = 32))]
    pub all: Vec<Right>,
}

/// `channel.presence`
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged, extend("x-type" = "`true`, `false` or table"))]
pub enum Presence {
    /// `true`, for whoever may follow; or `false`
    Switch(bool),
    /// `{ see = "authenticated", info = ["name"] }`
    Tuned(Seen),
}

/// `channel.presence`, tuned.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Who is told of those who follow. Without it, whoever may follow.
    pub see: Option<Right>,
    /// The claims that are told of each, beside who it is: `["name", "picture"]`.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(min = 1)))]
    pub info: Vec<String>,
}

impl Default for Presence {
    fn default() -> Self {
        Self::Switch(false)
    }
}

impl Presence {
    /// What is told; none if nothing is.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        match self {
            Self::Switch(on) => on.then(Seen::default),
            Self::Tuned(seen) => Some(seen.clone()),
        }
    }
}

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Presence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or { see = \"authenticated\", info = [\"name\"] }")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Presence, E> {
                Ok(Presence::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Presence, A::Error> {
                Seen::deserialize(MapAccessDeserializer::new(table)).map(Presence::Tuned)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Right;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a right: \"nobody\", \"authenticated\", \"anyone\", \"server\", \"granted\", { scope = \"...\" }, \
             { claim = \"...\", contains = \"...\" }, { claim = \"...\", equals = \"...\" }, { any = [...] } or { all = [...] }",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Right, E> {
        let known = PlainRight::ALL.into_iter().find(|(name, _)| *name == text);
        if let Some((_, plain)) = known {
            return Ok(Right::Plain(plain));
        }
        let names = PlainRight::ALL.map(|(name, _)| name);
        let words = names.map(|name| format!("\"{name}\"")).join(", ");
        Err(E::custom(match nearest(text, names.into_iter()) {
            Some(near) => format!(
                "\"{}\" is no right; did you mean \"{near}\"?",
                text.escape_debug()
            ),
            None => format!(
                "\"{}\" is no right; in words there are {words}",
                text.escape_debug()
            ),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Right, A::Error> {
        let mut read = Table::default();
        while let Some(key) = table.next_key::<String>()? {
            match &*key {
                "scope" => read.scope = Some(table.next_value()?),
                "claim" => read.claim = Some(table.next_value()?),
                "contains" => read.contains = Some(table.next_value()?),
                "equals" => read.equals = Some(table.next_value()?),
                "any" => read.any = Some(table.next_value()?),
                "all" => read.all = Some(table.next_value()?),
                other => return Err(A::Error::unknown_field(other, KEYS)),
            }
        }
        read.right().map_err(A::Error::custom)
    }
}

const KEYS: &[&str] = &["scope", "claim", "contains", "equals", "any", "all"];

/// The keys of a right that is a table.
#[derive(Default)]
struct Table {
    scope: Option<String>,
    claim: Option<String>,
    contains: Option<String>,
    equals: Option<String>,
    any: Option<Vec<Right>>,
    all: Option<Vec<Right>>,
}

impl Table {
    /// The one thing that it asks.
    fn right(self) -> Result<Right, &'static str> {
        match (
            self.scope,
            self.claim,
            self.contains,
            self.equals,
            self.any,
            self.all,
        ) {
            (Some(scope), None, None, None, None, None) => Ok(Right::Scope(ScopeRight { scope })),
            (None, Some(claim), Some(contains), None, None, None) => {
                Ok(Right::Contains(ContainsRight { claim, contains }))
            }
            (None, Some(claim), None, Some(equals), None, None) => {
                Ok(Right::Equals(EqualsRight { claim, equals }))
            }
            (None, None, None, None, Some(any), None) => Ok(Right::Any(AnyRight { any })),
            (None, None, None, None, None, Some(all)) => Ok(Right::All(AllRight { all })),
            (None, Some(_), None, None, None, None) => {
                Err("a right that names a `claim` needs `equals` or `contains`")
            }
            (None, None, Some(_), None, None, None) | (None, None, None, Some(_), None, None) => {
                Err("a right with `equals` or `contains` needs the `claim` that it is about")
            }
            (None, None, None, None, None, None) => {
                Err("a right needs `scope`, `claim`, `any` or `all`")
            }
            _ => Err("a right asks one thing: write several as { all = [...] } or { any = [...] }"),
        }
    }
}
