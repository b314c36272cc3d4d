use proptest::prelude::*;

use super::*;

#[test]
fn ordinary_json_passes() {
    for text in [
        "{}",
        "[]",
        " [1, -2.5, 0.1, 1e3, 0, -0, true, false, null] ",
        r#""\ud83d\ude00 \u0000""#,
        r#"{"a":{"a":1},"":[{}]}"#,
        "9007199254740991",
        "1.7976931348623157e308",
        "5e-324",
        "1.50000000000000000000000",
        "1.000000000000000000000",
        "-0.0",
        "0e400",
        "1e21",
        "9.9999999999999992e22",
        "9007199254740990.5",
        "123e-2",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn keys_are_compared_as_they_are_meant() {
    let twice = check(r#"{"a":1,"a":2}"#).unwrap_err();
    assert_eq!((twice.rule, twice.at), (Rule::DuplicateKey, 7));
    assert_eq!(broken(r#"{"a":1,"\u0061":2}"#), Some(Rule::DuplicateKey));
    for key in ["__proto__", r"\u005f_proto__", "constructor", "prototype"] {
        let text = format!(r#"[{{"x":{{"{key}":1}}}}]"#);
        assert_eq!(broken(&text), Some(Rule::ForbiddenKey), "{text}");
    }
    assert_eq!(
        check(r#"["__proto__"]"#),
        Ok(()),
        "as a value it is plain text"
    );
}

#[test]
fn a_refusal_points_at_the_value_or_the_key() {
    for (text, pointer) in [
        ("1e400", ""),
        (r#"{"a":1e400}"#, "/a"),
        (r#"{"b":0,"a":[0,{"c":"\ud800"}]}"#, "/a/1/c"),
        (r#"{"a":{"b":1,"\u0062":2}}"#, "/a/b"),
        (r#"[{"__proto__":1}]"#, "/0/__proto__"),
        (r#"{"a":{"~/":1e400}}"#, "/a/~0~1"),
        // The key itself cannot be read.
        (r#"{"a":{"\ud800":1}}"#, "/a"),
        (r#"{"":[[1e400]]}"#, "//0/0"),
        (r#"{"a":[1,2"#, "/a"),
    ] {
        assert_eq!(check(text).unwrap_err().pointer, pointer, "{text}");
    }
}

#[test]
fn depth_is_bounded_also_for_a_million_brackets() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(check(&nested(DEPTH)), Ok(()));
    assert_eq!(broken(&nested(DEPTH + 1)), Some(Rule::Depth));
    assert_eq!(broken(&"[".repeat(1_000_000)), Some(Rule::Depth));
}

#[test]
fn numbers_that_change_on_the_way_are_refused() {
    for text in [
        "9007199254740992",
        "-9007199254740992",
        "1e400",
        "-1e400",
        "1e-400",
        "0.1234567890123456789",
        "123456789012345678.5",
        "100000000000000000000",
        "9007199254740993.0",
        "-9007199254740992.00",
        "1.00000000000000000001",
        "1.7976931348623159e308",
    ] {
        assert_eq!(broken(text), Some(Rule::Number), "{text}");
    }
}

#[test]
fn halves_of_surrogate_pairs_are_refused() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\u0041""#,
        r#"{"\udfff":1}"#,
    ] {
        assert_eq!(broken(text), Some(Rule::Surrogate), "{text}");
    }
}

#[test]
fn more_keys_than_a_few_are_compared_too() {
    let object = |keys: usize, more: &str| {
        let members: Vec<String> = (0..keys).map(|n| format!("\"k{n}\":{n}")).collect();
        format!("{{{}{more}}}", members.join(","))
    };
    assert_eq!(check(&object(1000, "")), Ok(()));
    for more in [
        r#","k0":1"#,
        r#","k7":1"#,
        r#","k8":1"#,
        r#","\u006b999":1"#,
    ] {
        let text = object(1000, more);
        assert_eq!(broken(&text), Some(Rule::DuplicateKey), "{more}");
    }
}

#[test]
fn strings_end_where_they_end_whatever_their_length() {
    for length in 0..100 {
        let plain = "x".repeat(length);
        for (text, verdict) in [
            (format!("\"{plain}\""), None),
            (format!("\"{plain}\\n{plain}\""), None),
            (format!("\"{plain}"), Some(Rule::Syntax)),
            (format!("\"{plain}\n\""), Some(Rule::Syntax)),
            (format!("\"{plain}\\ud800\""), Some(Rule::Surrogate)),
        ] {
            let refused = check(&text).err();
            assert_eq!(refused.as_ref().map(|it| it.rule), verdict, "{text:?}");
            assert!(refused.is_none_or(|it| it.at == length + 1), "{text:?}");
        }
    }
}

/// The rule that a text breaks.
fn broken(text: &str) -> Option<Rule> {
    check(text).err().map(|error| error.rule)
}

/// Ordinary JSON of every kind.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Into::into),
        any::<f64>()
            .prop_filter("not a float JavaScript writes so", |value| value.abs()
                < 1e15)
            .prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..12)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_ordinarily_passes(value in json(), pretty: bool) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(check(&text), Ok(()), "{}", text);
    }

    #[test]
    fn it_agrees_with_serde_on_json_with_one_character_changed(
        value in json(),
        at: prop::sample::Index,
        put in prop::option::of(r#"[\[\]{}:,"\\u0-9aeE+. \n-]"#),
    ) {
        let mut characters: Vec<char> = value.to_string().chars().collect();
        let at = at.index(characters.len());
        characters.splice(at..=at, put.iter().flat_map(|text| text.chars()));
        let text: String = characters.into_iter().collect();
        agrees(&text)?;
    }

    #[test]
    fn it_agrees_with_serde_on_what_is_json(text in r#"[\[\]{}:,"\\u0-9aeE+. -]{0,24}|\PC{0,12}"#) {
        agrees(&text)?;
    }
}

fn agrees(text: &str) -> Result<(), TestCaseError> {
    let known = serde_json::from_str::<serde_json::Value>(text).is_ok();
    match check(text) {
        Ok(()) => prop_assert!(known, "{}", text),
        Err(error) => prop_assert!(error.rule != Rule::Syntax || !known, "{}", text),
    }
    Ok(())
}
