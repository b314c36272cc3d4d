use super::*;

fn string(rule: &str) -> Value {
    json!({ "type": "string", "x-sanitise": rule })
}

#[test]
fn strings_are_sanitised_wherever_the_schema_leads() {
    let dirty = "a\u{202e}b";
    let text = string("text");
    for (schema, data) in [
        (text.clone(), json!(dirty)),
        (
            json!({ "properties": { "a": text } }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "patternProperties": { "^a": text } }),
            json!({ "ab": dirty }),
        ),
        (
            json!({ "additionalProperties": text }),
            json!({ "x/y~": dirty }),
        ),
        (
            json!({ "unevaluatedProperties": text }),
            json!({ "x": dirty }),
        ),
        (json!({ "items": text }), json!(["ok", dirty])),
        (json!({ "prefixItems": [true, text] }), json!(["ok", dirty])),
        (
            json!({ "allOf": [{ "properties": { "a": text } }] }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "anyOf": [false, { "properties": { "a": text } }] }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "oneOf": [{ "type": "array" }, { "properties": { "a": text } }] }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "if": { "required": ["a"] }, "then": { "properties": { "a": text } } }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "if": { "required": ["b"] }, "else": { "properties": { "a": text } } }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "dependentSchemas": { "a": { "properties": { "a": text } } } }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "properties": { "a": { "$ref": "#/$defs/text" } }, "$defs": { "text": text } }),
            json!({ "a": dirty }),
        ),
        (
            json!({ "properties": { "a": text, "in": { "$ref": "#" } } }),
            json!({ "in": { "in": { "in": { "a": dirty } } } }),
        ),
    ] {
        let content = content(schema.clone());
        let delivered = cleared(&content, &data.to_string()).unwrap();
        assert!(!delivered.contains('\u{202e}'), "{schema} {delivered}");
        assert!(delivered.contains("ab"), "{schema} {delivered}");
        assert_eq!(
            cleared(&content, &delivered),
            Ok(delivered.clone()),
            "once is enough"
        );
    }
}

#[test]
fn of_several_branches_those_count_that_fit() {
    let content = content(json!({ "oneOf": [
        { "properties": { "kind": { "const": "html" }, "body": string("html") }, "required": ["kind"] },
        { "properties": { "kind": { "const": "text" }, "body": string("text") }, "required": ["kind"] },
    ] }));
    let body = |kind: &str| {
        let data = json!({ "kind": kind, "body": "1 < 2\u{202e}<script>x</script>" });
        let delivered = cleared(&content, &data.to_string()).unwrap();
        let delivered: Value = serde_json::from_str(&delivered).unwrap();
        delivered["body"].as_str().unwrap().to_owned()
    };
    assert_eq!(body("text"), "1 < 2<script>x</script>");
    assert_eq!(body("html"), "1 &lt; 2");
}

#[test]
fn what_is_delivered_fits_the_schema() {
    let content = content(json!({
        "type": "string", "minLength": 2, "maxLength": 8, "x-sanitise": "html",
    }));
    assert_eq!(
        cleared(&content, r#""1 < 2""#),
        violation("", "maxLength").or(Ok("\"1 &lt; 2\"".to_owned()))
    );
    assert_eq!(
        cleared(&content, r#""1 <<< 2""#),
        violation("", "maxLength")
    );
    assert_eq!(cleared(&content, r#""<hr>x""#), violation("", "minLength"));
    let fixed = self::content(json!({
        "properties": { "a": { "type": "string", "x-sanitise": "text", "enum": ["a\u{202e}b"] } },
    }));
    assert_eq!(
        cleared(&fixed, "{\"a\":\"a\u{202e}b\"}"),
        violation("/a", "enum")
    );
}

/// A text that loses its disguise could come to fit another branch, which asks for more.
#[test]
fn what_is_delivered_would_pass_once_more_as_it_is() {
    let content = content(json!({
        "properties": { "kind": string("text"), "body": { "type": "string" } },
        "if": { "properties": { "kind": { "const": "html" } }, "required": ["kind"] },
        "then": { "properties": { "body": string("html") } },
    }));
    let data = json!({ "kind": "ht\u{202e}ml", "body": "<img src=x onerror=alert(1)>" });
    assert_eq!(
        cleared(&content, &data.to_string()),
        violation("/body", "x-sanitise")
    );
}

#[test]
fn an_address_is_refused_with_its_place() {
    let content = content(json!({ "properties": {
        "link": string("url"),
        "phone": { "type": ["string", "null"], "x-sanitise": "url", "x-schemes": ["tel"] },
    } }));
    for (data, answer) in [
        (r#"{"link":"https://example.com/"}"#, None),
        (r#"{"phone":"tel:+4912345"}"#, None),
        (r#"{"phone":null}"#, None),
        (r#"{"link":"java\tscript:alert(1)"}"#, Some("/link")),
        (r#"{"link":"tel:+4912345"}"#, Some("/link")),
        (r#"{"phone":"https://example.com/"}"#, Some("/phone")),
    ] {
        let expected = answer.map_or(Ok(data.to_owned()), |place| violation(place, "x-sanitise"));
        assert_eq!(cleared(&content, data), expected, "{data}");
    }
}
