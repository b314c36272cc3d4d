//! What a schema's `x-sanitise` asks for: that a string holds nothing but what its reader will take it for.
//!
//! `text` and `html` rewrite a string. `url` refuses it, since half an address is another address.

use std::borrow::Cow;

use serde_json::{Map, Value};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::{html, url};

/// What is to be done to a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Shown as text.
    Text,
    /// Put into a page.
    Html(html::Allow),
    /// Followed. The schemes that it may have.
    Url(Vec<String>),
}

/// Why a string cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// Which keyword is wrong, and why.
type Wrong = (&'static str, String);

const SANITISE: &str = "x-sanitise";
const ALLOW: &str = "x-sanitise-allow";
const SCHEMES: &str = "x-schemes";

impl Rule {
    /// Reads what a schema says of it.
    pub(super) fn of(schema: &Map<String, Value>) -> Result<Option<Self>, Wrong> {
        let (allow, schemes) = (schema.get(ALLOW), schema.get(SCHEMES));
        let Some(rule) = schema.get(SANITISE) else {
            let alone = [(ALLOW, allow), (SCHEMES, schemes)];
            return match alone.into_iter().find(|(_, value)| value.is_some()) {
                Some((name, _)) => Err((name, format!("it stands without `{SANITISE}`"))),
                None => Ok(None),
            };
        };
        let rule = match rule.as_str() {
            Some("text") => Self::Text,
            Some("html") => Self::Html(self::allow(allow)?),
            Some("url") => Self::Url(self::schemes(schemes)?),
            _ => {
                let why = "there are \"text\", \"html\" and \"url\"";
                return Err((SANITISE, why.to_owned()));
            }
        };
        if allow.is_some() && !matches!(rule, Self::Html(_)) {
            return Err((ALLOW, format!("it belongs to `{SANITISE}: \"html\"`")));
        }
        if schemes.is_some() && !matches!(rule, Self::Url(_)) {
            return Err((SCHEMES, format!("it belongs to `{SANITISE}: \"url\"`")));
        }
        match is_string(schema.get("type")) {
            true => Ok(Some(rule)),
            // Whatever else is let in here would go by unsanitised, text inside of it too.
            false => Err((
                SANITISE,
                "only a string can be sanitised: write `\"type\": \"string\"` beside it, or with \"null\""
                    .to_owned(),
            )),
        }
    }

    /// The string as it is to be.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, Refused> {
        match self {
            Self::Text => Ok(clean(text)),
            Self::Html(allow) => allow.clean(text).ok_or(Refused),
            Self::Url(schemes) => match url::is_safe(text, schemes) {
                true => Ok(text.into()),
                false => Err(Refused),
            },
        }
    }
}

/// Whether a `type` lets in strings, and beside them nothing but null.
fn is_string(kind: Option<&Value>) -> bool {
    match kind {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => {
            kinds.iter().any(|kind| kind == "string")
                && kinds.iter().all(|kind| kind == "string" || kind == "null")
        }
        _ => false,
    }
}

fn allow(written: Option<&Value>) -> Result<html::Allow, Wrong> {
    match written.map(Value::as_str) {
        None | Some(Some("basic")) => Ok(html::Allow::Basic),
        Some(Some("rich")) => Ok(html::Allow::Rich),
        Some(_) => Err((ALLOW, "there are \"basic\" and \"rich\"".to_owned())),
    }
}

fn schemes(written: Option<&Value>) -> Result<Vec<String>, Wrong> {
    let Some(written) = written else {
        return Ok(url::SCHEMES.map(str::to_owned).to_vec());
    };
    let list = written.as_array().filter(|list| !list.is_empty());
    let each = list.into_iter().flatten().map(|scheme| {
        let scheme = scheme.as_str().filter(|it| url::may_be_allowed(it));
        scheme.map(str::to_owned)
    });
    let all: Option<Vec<String>> = each.collect();
    all.filter(|all| !all.is_empty()).ok_or_else(|| {
        let why = "it is a list of schemes in small letters, without those that run or hold a document (javascript, data, ...)";
        (SCHEMES, why.to_owned())
    })
}

/// Text as its reader sees it: in one normal form (NFC, UAX #15), without what is not seen but steers. Line ends and tabs
/// stay.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let text: Cow<'_, str> = match first_hidden(text) {
        Some(_) => visible(text).into(),
        None => text.into(),
    };
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text,
        _ => {
            let normal: String = text.nfc().collect();
            match normal == *text {
                true => text,
                false => normal.into(),
            }
        }
    }
}

fn first_hidden(text: &str) -> Option<usize> {
    text.char_indices()
        .find(|(_, character)| is_hidden(*character) || is_tag(*character))
        .map(|(at, _)| at)
}

/// The text without what is hidden, but for the tags of a flag (UTS #51, emoji tag sequences).
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (first, behind) = rest.split_at(character.len_utf8());
        rest = behind;
        if character == FLAG {
            let (tags, behind) = rest.split_at(tag_sequence(rest));
            out.push_str(first);
            out.push_str(tags);
            rest = behind;
        } else if !is_hidden(character) && !is_tag(character) {
            out.push_str(first);
        }
    }
    out
}

/// The black flag, which tags make one of a region.
const FLAG: char = '\u{1f3f4}';
const END_OF_TAGS: char = '\u{e007f}';
/// Letters and digits in the longest name of a region (CLDR unicode_subdivision_id).
const LONGEST_REGION: usize = 6;

/// How many bytes in front are the tags of a flag.
fn tag_sequence(text: &str) -> usize {
    let letters = text
        .chars()
        .take_while(|it| matches!(it, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'))
        .count();
    let end = text.chars().nth(letters);
    match (3..=LONGEST_REGION).contains(&letters) && end == Some(END_OF_TAGS) {
        true => (letters + 1) * END_OF_TAGS.len_utf8(),
        false => 0,
    }
}

/// What is not seen, but steers: controls (C0, DEL, C1), overrides, embeddings and isolates of direction (UAX #9), the
/// annotations between lines, and what is no character.
pub(super) fn is_hidden(character: char) -> bool {
    let last = u32::from(character) & 0xFFFF;
    match character {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' => true,
        _ => character.is_control() || last >= 0xFFFE,
    }
}

/// The block of tags, in which a text can be hidden whole.
fn is_tag(character: char) -> bool {
    matches!(character, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_what_is_seen_and_loses_what_steers() {
        for (given, kept) in [
            ("plain ascii", "plain ascii"),
            ("line\n\ttab", "line\n\ttab"),
            ("a\r\nb\0c\u{1b}[2J", "a\nbc[2J"),
            ("x\u{7f}\u{85}\u{9b}y", "xy"),
            ("abc\u{202e}fdp.exe\u{202c}", "abcfdp.exe"),
            ("\u{2066}a\u{2069}\u{2067}b\u{2068}", "ab"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{212b}", "\u{c5}"),
            ("hi\u{e0068}\u{e0069}\u{e0001}", "hi"),
            ("a\u{fffe}b\u{fdd0}c\u{10ffff}\u{fff9}", "abc"),
            ("<b>&amp;\u{200f}\u{200d}", "<b>&amp;\u{200f}\u{200d}"),
            // Wales, and a flag with a text hidden behind it.
            (
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
            ),
            (
                "\u{1f3f4}\u{e0067}\u{e0062}\u{e0020}\u{e0073}\u{e007f}",
                "\u{1f3f4}",
            ),
            // What composes only once a control is gone.
            ("e\u{202e}\u{301}", "\u{e9}"),
        ] {
            let cleaned = clean(given);
            assert_eq!(cleaned, kept, "{given:?}");
            assert_eq!(clean(&cleaned), kept, "once is enough: {given:?}");
        }
        assert!(matches!(clean("caf\u{e9}"), Cow::Borrowed(_)));
    }

    fn rule(schema: serde_json::Value) -> Result<Option<Rule>, &'static str> {
        Rule::of(schema.as_object().unwrap()).map_err(|(name, _)| name)
    }

    #[test]
    fn a_rule_that_could_not_hold_is_no_rule() {
        use serde_json::json;
        let string = |mut schema: serde_json::Value| {
            schema["type"] = json!("string");
            rule(schema)
        };
        assert_eq!(
            string(json!({ "x-sanitise": "text" })),
            Ok(Some(Rule::Text))
        );
        assert_eq!(
            rule(json!({ "type": ["null", "string"], "x-sanitise": "html" })),
            Ok(Some(Rule::Html(html::Allow::Basic)))
        );
        for kind in [
            json!("object"),
            json!(["string", "array"]),
            json!(["null"]),
            json!(null),
        ] {
            let schema = json!({ "type": kind, "x-sanitise": "text" });
            assert_eq!(rule(schema), Err(SANITISE), "{kind}");
        }
        assert_eq!(rule(json!({ "x-sanitise": "text" })), Err(SANITISE));
        assert_eq!(string(json!({ "x-sanitise": "xml" })), Err(SANITISE));
        assert_eq!(string(json!({ "x-sanitise-allow": "rich" })), Err(ALLOW));
        let tuned = |name: &str, value: serde_json::Value, rule: &str| {
            let mut schema = json!({ "x-sanitise": rule });
            schema[name] = value;
            string(schema)
        };
        assert_eq!(tuned(ALLOW, json!("rich"), "text"), Err(ALLOW));
        assert_eq!(tuned(ALLOW, json!("all"), "html"), Err(ALLOW));
        assert_eq!(tuned(SCHEMES, json!(["https"]), "text"), Err(SCHEMES));
        for schemes in [
            json!([]),
            json!("https"),
            json!(["HTTPS"]),
            json!(["https:"]),
            json!(["javascript"]),
            json!(["data"]),
            json!([1]),
        ] {
            assert_eq!(
                tuned(SCHEMES, schemes.clone(), "url"),
                Err(SCHEMES),
                "{schemes}"
            );
        }
        assert!(tuned(SCHEMES, json!(["tel"]), "url").is_ok());
    }
}
