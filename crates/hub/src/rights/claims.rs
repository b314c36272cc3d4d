//! What an identity's claims hold, as rights compare them: strings, and arrays of strings. Everything else is compared with
//! nothing, and so allows nothing.

use serde_json::{Map, Value};
use wardwire_admission::principal::Identity;

use super::Test;

/// Whether `scope` has this scope among those between its spaces (RFC 8693 §4.2).
pub(super) fn has_scope(identity: &Identity, scope: &str) -> bool {
    scopes(identity).any(|held| held == scope)
}

/// What `scope` lists; nothing if it is no string.
pub(super) fn scopes(identity: &Identity) -> impl Iterator<Item = &str> {
    let claim = identity.claims.get("scope").and_then(Value::as_str);
    claim.unwrap_or_default().split_ascii_whitespace()
}

/// Whether `holds` of any of the values that a claim has for this test.
pub(super) fn any_value<'a>(
    identity: &'a Identity,
    claim: &str,
    test: Test,
    mut holds: impl FnMut(&'a str) -> bool,
) -> bool {
    let authentication = &identity.authentication;
    match (claim, test) {
        ("sub", Test::Equals) => holds(identity.handle()),
        ("iss", Test::Equals) => holds(&identity.issuer),
        ("acr", Test::Equals) => authentication.acr.as_deref().is_some_and(holds),
        ("amr", Test::Contains) => authentication.amr.iter().any(|method| holds(method)),
        ("sub" | "iss" | "acr" | "amr", _) => false,
        (_, Test::Equals) => look_up(&identity.claims, claim)
            .and_then(Value::as_str)
            .is_some_and(holds),
        (_, Test::Contains) => match look_up(&identity.claims, claim) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).any(holds),
            Some(Value::String(scopes)) if claim == "scope" => {
                scopes.split_ascii_whitespace().any(holds)
            }
            _ => false,
        },
    }
}

/// A claim that is a text, a number, true or false.
pub(super) fn plain(identity: &Identity, claim: &str) -> Option<Value> {
    let text = |text: &str| Some(Value::String(text.to_owned()));
    let authentication = &identity.authentication;
    let value = match claim {
        "sub" => return text(identity.handle()),
        "iss" => return text(&identity.issuer),
        "acr" => return authentication.acr.as_deref().and_then(text),
        _ => look_up(&identity.claims, claim)?,
    };
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)).then(|| value.clone())
}

/// A claim by its name, or by its way through objects.
fn look_up<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    look_up(claims.get(first)?.as_object()?, rest)
}

/// What a claim is, in words that give away nothing of its value.
pub(super) fn shape(identity: &Identity, claim: &str, test: Test) -> String {
    let own = |is: &str| format!("is {is}");
    match (claim, test) {
        ("sub" | "iss", Test::Equals) => return own("another"),
        ("sub" | "iss" | "acr", Test::Contains) => return own("a string"),
        ("amr", Test::Equals) => return own("an array"),
        ("amr", Test::Contains) => return own("an array without it"),
        ("acr", Test::Equals) => {
            let known = identity.authentication.acr.is_some();
            return own(if known { "another" } else { "missing" });
        }
        _ => {}
    }
    own(&match look_up(&identity.claims, claim) {
        None => "missing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(_)) => "true or false".to_owned(),
        Some(Value::Number(_)) => "a number".to_owned(),
        Some(Value::String(_)) if test == Test::Equals => "another".to_owned(),
        Some(Value::String(_)) if claim == "scope" => "a list without it".to_owned(),
        Some(Value::String(_)) => "a string".to_owned(),
        Some(Value::Array(items)) => {
            let strings = items.iter().filter(|it| it.is_string()).count();
            let word = if strings == 1 { "string" } else { "strings" };
            format!("an array with {strings} {word} among {}", items.len())
        }
        Some(Value::Object(_)) => "an object".to_owned(),
    })
}
