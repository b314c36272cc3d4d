use super::*;

/// Where a schema is refused, and why.
fn bad(schema: Value) -> (String, String) {
    let text = schema.to_string();
    let bad = Content::compile(&text).expect_err(&text);
    (bad.pointer, bad.why)
}

#[test]
fn a_misspelt_keyword_is_refused_with_the_one_that_was_meant() {
    for (name, meant) in [
        ("x-sanitize", "x-sanitise"),
        ("x-sanitise-allows", "x-sanitise-allow"),
        ("maxlength", "maxLength"),
        ("propertys", "properties"),
        ("definitions", "$defs"),
        ("$dynamicRef", "$defs"),
        ("contentEncoding", "binary"),
    ] {
        let (pointer, why) = bad(json!({ "properties": { "a": { name: "text" } } }));
        assert_eq!(pointer, format!("/properties/a/{name}"));
        assert!(why.contains(meant), "{name}: {why}");
    }
    let (_, why) = bad(json!({ "frobnicate": 1 }));
    assert!(why.contains("x-"), "{why}");
    content(json!({ "x-order": 1, "title": "fine", "properties": { "x-sanitize": true } }));
}

#[test]
fn a_reference_stays_in_its_file() {
    for reference in [
        "other.json",
        "https://example.com/schema.json",
        "file:///etc/passwd",
        "#anchor",
        "https://json-schema.org/draft/2020-12/schema",
        "/properties/a",
    ] {
        let (pointer, why) = bad(json!({ "properties": { "a": { "$ref": reference } } }));
        assert_eq!(pointer, "/properties/a/$ref");
        assert!(why.contains("leads out"), "{why}");
    }
    for reference in ["#/$defs/none", "#/properties", "#/properties/a/enum/0"] {
        let (pointer, why) = bad(json!({
            "properties": { "a": { "enum": [{ "type": "string" }] }, "b": { "$ref": reference } },
            "$defs": { "there": true },
        }));
        assert_eq!(pointer, "/properties/b/$ref");
        assert!(why.contains("no schema"), "{why}");
    }
    let own = content(json!({
        "$id": "https://example.com/me.json",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": { "a": { "$ref": "#/$defs/a%20b" }, "me": { "$ref": "#" } },
        "$defs": { "a b": { "type": "integer" } },
    }));
    assert_eq!(
        cleared(&own, r#"{"me":{"me":{"a":"x"}}}"#),
        violation("/me/me/a", "type")
    );
    for inside in [
        json!({ "properties": { "a": { "$id": "https://example.com/other" } } }),
        json!({ "$schema": "http://json-schema.org/draft-07/schema#" }),
        json!({ "properties": { "a": { "$anchor": "a" } } }),
    ] {
        bad(inside);
    }
}

#[test]
fn a_pattern_is_linear_and_small() {
    for pattern in [
        r"(a)\1",
        "(?=a)b",
        "(?<!a)b",
        "(",
        // A million states.
        "((a{100}){100}){100}",
        r"^(\p{L}{1,200}){1,200}$",
    ] {
        let (pointer, why) =
            bad(json!({ "properties": { "a": { "type": "string", "pattern": pattern } } }));
        assert_eq!(pointer, "/properties/a/pattern", "{pattern}: {why}");
        let (pointer, _) = bad(json!({ "patternProperties": { pattern: true } }));
        assert!(
            pointer.starts_with("/patternProperties"),
            "{pattern}: {pointer}"
        );
    }
    content(json!({ "pattern": r"^[\w.-]{1,64}(@\d+)?$" }));
}

#[test]
fn what_is_no_schema_is_refused_where_it_is_wrong() {
    for (schema, place) in [
        (
            json!({ "properties": { "a": { "type": "text" } } }),
            "/properties/a/type",
        ),
        (
            json!({ "properties": { "a": { "maxLength": -1 } } }),
            "/properties/a/maxLength",
        ),
        (
            json!({ "properties": { "a": { "maxLength": "3" } } }),
            "/properties/a/maxLength",
        ),
        (json!({ "properties": ["a"] }), "/properties"),
        (json!({ "items": [{ "type": "string" }] }), "/items"),
        (json!({ "allOf": {} }), "/allOf"),
        (json!({ "allOf": [] }), "/allOf"),
        (json!({ "properties": { "a": 1 } }), "/properties/a"),
        (json!({ "required": ["a", "a"] }), "/required"),
        (json!({ "format": "fancy" }), "/format"),
        (json!(["no", "schema"]), ""),
    ] {
        let (pointer, why) = bad(schema.clone());
        assert_eq!(pointer, place, "{schema}: {why}");
    }
}

#[test]
fn a_schema_is_named_by_the_line_of_its_text() {
    let text = "{\n  \"properties\": {\n    \"a\": true,\n    \"b\": {\n      \"type\": \"string\",\n      \"x-sanitize\": \"text\"\n    }\n  }\n}";
    let bad = Content::compile(text).unwrap_err();
    assert_eq!((bad.line, &*bad.pointer), (6, "/properties/b/x-sanitize"));
    let twice = "{\n\"type\": \"string\",\n\"type\": \"object\"}";
    let bad = Content::compile(twice).unwrap_err();
    assert_eq!((bad.line, &*bad.pointer), (3, "/type"));
    assert!(Content::compile("{").is_err());
}

#[test]
fn a_schema_is_bounded_in_size_depth_and_number() {
    let large = json!({ "description": "x".repeat(LARGEST) });
    assert!(bad(large).1.contains("256 KiB"));
    let many: Vec<Value> = (0..3000).map(|_| json!(true)).collect();
    assert!(bad(json!({ "prefixItems": many })).1.contains("2000"));
    let mut deep = json!(true);
    for _ in 0..40 {
        deep = json!({ "items": deep });
    }
    assert!(bad(deep).1.contains("deep"));
}

#[test]
fn sanitising_stands_where_it_is_carried_out() {
    let text = json!({ "type": "string", "x-sanitise": "text" });
    for (schema, place) in [
        (json!({ "not": text }), "/not/x-sanitise"),
        (
            json!({ "not": { "properties": { "a": text } } }),
            "/not/properties/a/x-sanitise",
        ),
        (json!({ "if": text, "then": true }), "/if/x-sanitise"),
        (json!({ "contains": text }), "/contains/x-sanitise"),
        (
            json!({ "propertyNames": text }),
            "/propertyNames/x-sanitise",
        ),
        (json!({ "$defs": { "a": text } }), "/$defs/a/x-sanitise"),
        (
            json!({ "not": { "$ref": "#/$defs/a" }, "$defs": { "a": text } }),
            "/$defs/a/x-sanitise",
        ),
        (json!({ "x-sanitise": "text" }), "/x-sanitise"),
        (
            json!({ "type": "object", "x-sanitise": "text" }),
            "/x-sanitise",
        ),
        (
            json!({ "type": "string", "x-sanitise": "url", "x-schemes": ["javascript"] }),
            "/x-schemes",
        ),
    ] {
        let (pointer, why) = bad(schema.clone());
        assert_eq!(pointer, place, "{schema}: {why}");
    }
}
