use serde_json::json;

use super::*;

mod cost;
mod load;
mod sanitising;

/// A schema, given as JSON.
fn content(schema: Value) -> Content {
    Content::compile(&schema.to_string()).unwrap()
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// What a schema makes of data: the text that goes on, or the pointer and keyword.
fn cleared(content: &Content, data: &str) -> Result<String, (String, String)> {
    let data = raw(data);
    let cleared = content.clear(&data);
    cleared
        .map(|it| it.get().to_owned())
        .map_err(|it| (it.pointer, it.keyword))
}

fn violation(pointer: &str, keyword: &str) -> Result<String, (String, String)> {
    Err((pointer.to_owned(), keyword.to_owned()))
}

#[test]
fn what_fits_goes_on_byte_for_byte() {
    let content = content(json!({
        "type": "object",
        "properties": { "text": { "type": "string", "x-sanitise": "html" }, "n": { "type": "number" } },
    }));
    for data in [
        r#"{"text":"hello","n":1.50}"#,
        r#" { "z" : [1e3], "n":0.10 ,"text":"<b>\u0062old</b>" } "#,
        "{}",
    ] {
        let data = raw(data);
        assert!(
            matches!(content.clear(&data), Ok(Cow::Borrowed(_))),
            "{data}"
        );
    }
}

#[test]
fn what_does_not_fit_is_answered_with_its_place_and_keyword() {
    let content = content(json!({
        "type": "object",
        "required": ["kind"],
        "additionalProperties": false,
        "properties": {
            "kind": { "enum": ["a", "b"] },
            "tags": { "type": "array", "maxItems": 2, "items": { "$ref": "#/$defs/tag" }, "uniqueItems": true },
            "a/b": { "type": "integer", "maximum": 5 },
            "at": { "format": "date-time" },
            "id": { "type": "string", "pattern": "^[a-z]+$" },
        },
        "$defs": { "tag": { "type": "string", "maxLength": 3 } },
    }));
    for (data, place, keyword) in [
        ("[]", "", "type"),
        ("{}", "", "required"),
        (r#"{"kind":"c"}"#, "/kind", "enum"),
        (r#"{"kind":"a","more":1}"#, "", "additionalProperties"),
        (
            r#"{"kind":"a","tags":["x","long"]}"#,
            "/tags/1",
            "maxLength",
        ),
        (r#"{"kind":"a","tags":["x","y","z"]}"#, "/tags", "maxItems"),
        (r#"{"kind":"a","tags":["x","x"]}"#, "/tags", "uniqueItems"),
        (r#"{"kind":"a","a/b":6}"#, "/a~1b", "maximum"),
        (r#"{"kind":"a","a/b":1.5}"#, "/a~1b", "type"),
        (r#"{"kind":"a","at":"yesterday"}"#, "/at", "format"),
        (r#"{"kind":"a","id":"A"}"#, "/id", "pattern"),
    ] {
        assert_eq!(cleared(&content, data), violation(place, keyword), "{data}");
    }
    assert!(
        cleared(
            &content,
            r#"{"kind":"a","tags":["x"],"a/b":5.0,"id":"a","at":"2026-01-01T00:00:00Z"}"#
        )
        .is_ok()
    );
}
