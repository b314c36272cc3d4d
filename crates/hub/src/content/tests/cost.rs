use super::*;

fn refused(schema: Value) -> String {
    let bad = Content::compile(&schema.to_string());
    bad.expect_err(&schema.to_string()).why
}

#[test]
fn a_schema_that_leads_back_to_itself_for_the_same_value_is_refused() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "anyOf": [true, { "$ref": "#/$defs/a" }] } } }),
        json!({ "if": { "$ref": "#" } }),
        json!({ "$defs": { "a": { "not": { "$ref": "#/$defs/a" } } } }),
    ] {
        assert!(refused(schema.clone()).contains("itself"), "{schema}");
    }
}

#[test]
fn a_schema_whose_cost_doubles_with_every_level_is_refused() {
    let twice = |keyword: &str| json!({ keyword: [{ "items": { "$ref": "#" } }, { "items": { "$ref": "#" } }] });
    for schema in [
        twice("allOf"),
        twice("oneOf"),
        twice("anyOf"),
        json!({ "items": { "$ref": "#" }, "contains": { "$ref": "#" } }),
        json!({ "properties": { "a": { "$ref": "#" } }, "patternProperties": { "a": { "$ref": "#" } } }),
        json!({ "allOf": [{ "properties": { "a": { "$ref": "#" } } }], "additionalProperties": { "$ref": "#" }, "not": { "properties": { "a": { "$ref": "#" } } } }),
        json!({ "allOf": [{ "items": { "$ref": "#" } }], "unevaluatedItems": false }),
    ] {
        assert!(refused(schema.clone()).contains("times"), "{schema}");
    }
}

#[test]
fn what_people_write_is_affordable() {
    let tree = json!({
        "$ref": "#/$defs/node",
        "$defs": { "node": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "maxLength": 80 },
                "left": { "$ref": "#/$defs/node" },
                "right": { "$ref": "#/$defs/node" },
                "children": { "type": "array", "items": { "$ref": "#/$defs/node" } },
            },
        } },
    });
    content(tree);
    let kinds: Vec<Value> = (0..20)
        .map(|n| {
            json!({
                "type": "object",
                "properties": { "kind": { "const": format!("k{n}") }, "body": { "$ref": "#/$defs/body" } },
                "required": ["kind"],
                "unevaluatedProperties": false,
            })
        })
        .collect();
    let union = content(json!({
        "oneOf": kinds,
        "$defs": { "body": { "type": "object", "properties": { "text": { "type": "string" } } } },
    }));
    assert!(cleared(&union, r#"{"kind":"k7","body":{"text":"x"}}"#).is_ok());
    assert_eq!(cleared(&union, r#"{"kind":"k77"}"#), violation("", "oneOf"));
}

/// The largest messages are judged, or refused, in so many looks; how long that takes is measured elsewhere.
#[test]
fn a_publication_that_takes_too_much_is_refused() {
    let heavy: Vec<Value> = (0..400)
        .map(|n| json!({ "minItems": 0, "maxItems": n }))
        .collect();
    let content = content(json!({ "items": { "anyOf": heavy } }));
    let many = format!("[{}0]", "0,".repeat(30_000));
    assert_eq!(cleared(&content, &many), violation("", "cost"));
    assert!(cleared(&content, "[0,0,0]").is_ok());
}

#[test]
fn a_long_way_to_many_values_is_dearer_than_a_short_one() {
    let content = content(json!({
        "additionalProperties": { "items": { "type": "string", "x-sanitise": "text" } }
    }));
    let values = format!("[{}\"\"]", "\"\",".repeat(5_000));
    let behind = |name: String| format!("{{\"{name}\":{values}}}");
    assert!(cleared(&content, &behind("k".into())).is_ok());
    for name in ["k".repeat(16_000), "~".repeat(8_000)] {
        assert_eq!(cleared(&content, &behind(name)), violation("", "cost"));
    }
}

#[test]
fn a_publication_holds_so_much_html_and_no_more() {
    let html = json!({ "type": "string", "x-sanitise": "html" });
    let content = content(json!({ "items": html }));
    let of = |text: &str, count: usize| json!(vec![text; count]).to_string();
    let text = format!("<b>{}</b>", "x".repeat(1_000));
    assert!(cleared(&content, &of(&text, 15)).is_ok());
    assert_eq!(cleared(&content, &of(&text, 17)), violation("/16", "cost"));
    assert_eq!(
        cleared(&content, &of("<", 1_000)),
        violation("/963", "cost")
    );
    assert!(cleared(&content, &of("nothing of it", 4_000)).is_ok());
}

#[test]
fn a_publication_does_not_grow_beyond_twice_itself() {
    let html = json!({ "type": "string", "x-sanitise": "html" });
    let content = content(json!({ "items": html }));
    let links = |count: usize| json!(vec!["<a href=mailto:>"; count]).to_string();
    assert!(cleared(&content, &links(20)).is_ok());
    assert_eq!(cleared(&content, &links(200)), violation("", "x-sanitise"));
}
