//! `[[channel]]`: names, rights, and what is kept.

use super::*;

#[test]
fn a_channel_pattern_that_is_none() {
    let folder = Folder::new();
    for name in [
        "",
        "chat//{room}",
        "chat/*",
        "chat/{}",
        "chat/{a b}",
        "chat/..",
        "a%2f",
        "/chat",
    ] {
        let text = with("chat/{room}", name);
        assert_eq!(folder.problems(&text).len(), 1, "{name}");
        assert!(
            folder.problems(&text)[0].contains("not a channel name"),
            "{name}"
        );
    }
    let twice = with("chat/{room}", "{room}/{room}");
    one(&folder, &twice, "name =", "stands twice");
    let decomposed = with("chat/{room}", "cafe\u{301}/{room}");
    let says = "\"cafe\\u{301}\" is not a channel name: in NFC (UAX #15) it would be caf\u{e9}";
    one(&folder, &decomposed, "name =", says);
}

#[test]
fn a_right_that_speaks_of_what_the_pattern_has_not() {
    let text = with("contains = \"{room}\"", "contains = \"{rom}\"");
    one(&Folder::new(), &text, "subscribe =", "{rom}");
}

#[test]
fn a_right_that_asks_for_nothing() {
    let folder = Folder::new();
    for right in [
        "claim = \"\", equals = \"a\"",
        "claim = \"team\", equals = \"\"",
    ] {
        let text = with("\"authenticated\"", &format!("{{ {right} }}"));
        one(&folder, &text, "publish =", "asks for nothing");
    }
}

#[test]
fn a_schema_that_is_not_understood_or_not_there() {
    let folder = Folder::new();
    folder.write("bad.json", "{\n  \"maxlength\": 3\n}", 0o644);
    folder.write("good.json", "{}", 0o644);
    let text = |lines: &str| and(&format!("[[channel]]\nname = \"own\"\n{lines}"));
    let bad = text("schema = \"bad.json\"");
    one(&folder, &bad, "schema =", "bad.json:2: at \"/maxlength\"");
    one(&folder, &bad, "schema =", "`maxLength`");
    one(
        &folder,
        &text("schema = \"none.json\""),
        "schema =",
        "none.json",
    );
    let both = text("schema = \"good.json\"\nbinary = true");
    one(&folder, &both, "binary =", "bytes that a schema");
    one(
        &folder,
        &text("mode = \"report\""),
        "mode =",
        "nothing to report",
    );
    one(
        &folder,
        &text("rate = { per = \"1s\" }"),
        "rate =",
        "nothing in particular",
    );
    assert_eq!(
        folder.problems(&text("schema = \"good.json\"\nmode = \"report\"")),
        [""; 0]
    );
}

#[test]
fn two_channels_that_leave_open_which_decides() {
    let folder = Folder::new();
    let first = line_of(SAFE, "name = \"chat/{room}\"");
    for name in ["chat/{room}", "chat/{other}"] {
        let text = and(&format!("[[channel]]\nname = \"{name}\" # second"));
        let says = format!("for the same channels as \"chat/{{room}}\" in line {first}");
        one(&folder, &text, "# second", &says);
    }
    let text = and("[[channel]]\nname = \"{any}/admin\" # second");
    let says = format!("and \"chat/{{room}}\" in line {first}, and neither is the more specific");
    one(&folder, &text, "# second", &says);
    let problem = folder.problems(&text).join("");
    assert!(problem.contains("name = \"chat/admin\""), "{problem}");
    let settled = format!("{text}\n[[channel]]\nname = \"chat/admin\"");
    assert_eq!(folder.problems(&settled), [""; 0]);
    for name in ["chat", "chat/admin", "chat/{room}/private", "{any}/{all}"] {
        let text = and(&format!("[[channel]]\nname = \"{name}\""));
        assert_eq!(folder.problems(&text), [""; 0], "{name}");
    }
}

#[test]
fn a_right_that_is_none_is_named_where_it_stands() {
    let folder = Folder::new();
    for (right, says) in [
        ("\"autenticated\"", "did you mean \"authenticated\"?"),
        ("7", "a right: \"nobody\""),
        ("{ claim = \"team\" }", "needs `equals` or `contains`"),
        ("{ equals = \"a\" }", "needs the `claim`"),
        (
            "{ scope = \"a\", claim = \"b\", equals = \"c\" }",
            "asks one thing",
        ),
        (
            "{ claim = \"a\", equals = \"b\", contains = \"c\" }",
            "asks one thing",
        ),
        ("{}", "needs `scope`, `claim`, `any` or `all`"),
        ("{ any = [] }", "`any` of no rights"),
        ("{ all = [{ any = [] }] }", "`any` of no rights"),
        ("{ any = [{ scope = \"\" }] }", "asks for nothing"),
        ("{ scope = \"{rom}\" }", "{rom}"),
        ("{ scope = \"a{\" }", "braces do not pair"),
        ("{ scope = \"{room}{room}\" }", "not for one channel"),
        (
            "{ any = [{ scoop = \"a\" }, \"nobody\"] }",
            "has no key `scoop`",
        ),
    ] {
        let text = with("\"authenticated\"", right);
        let problems = folder.problems(&text);
        let line = format!("{}: ", line_of(&text, "publish ="));
        assert!(
            problems
                .iter()
                .any(|it| it.contains(says) && it.starts_with(&line)),
            "{right}: {problems:?}"
        );
    }
}

#[test]
fn a_right_that_is_too_deep_or_too_large() {
    let folder = Folder::new();
    let nested = |depth: usize| {
        let (open, close) = ("{ all = [".repeat(depth), "] }".repeat(depth));
        with("\"authenticated\"", &format!("{open}\"anyone\"{close}"))
    };
    assert_eq!(folder.problems(&nested(4)), [""; 0]);
    one(&folder, &nested(5), "publish =", "more than 4 deep");
    let wide = |count: usize| {
        let each = vec!["\"anyone\""; count].join(", ");
        with("\"authenticated\"", &format!("{{ any = [{each}] }}"))
    };
    assert_eq!(folder.problems(&wide(32)), [""; 0]);
    one(&folder, &wide(33), "publish =", "made of more than 32");
}

#[test]
fn rights_of_history_and_presence_are_judged_too() {
    let folder = Folder::new();
    for (key, says) in [
        (
            "history = { size = 1, ttl = \"1h\", read = { scope = \"{rom}\" } }",
            "{rom}",
        ),
        (
            "presence = { see = { claim = \"a\", equals = \"{rom}\" } }",
            "{rom}",
        ),
        ("presence = { info = [\"name\", \"\"] }", "is no name"),
        ("presence = { info = [\"name\", \"name\"] }", "stands twice"),
        ("presence = 7", "true, false or"),
        ("presence = { sea = \"anyone\" }", "`see`"),
    ] {
        let text = format!("{SAFE}{key}\n");
        let problems = folder.problems(&text).join("");
        assert!(problems.contains(says), "{key}: {problems}");
    }
    let claims: Vec<_> = (0..17).map(|n| format!("\"c{n}\"")).collect();
    let text = format!("{SAFE}presence = {{ info = [{}] }}\n", claims.join(", "));
    let problems = folder.problems(&text).join("");
    assert!(problems.contains("17 claims are told"), "{problems}");
}

#[test]
fn a_history_of_nothing_or_without_end() {
    let folder = Folder::new();
    for (history, says) in [
        ("size = 0, ttl = \"1h\"", "history.size is 0"),
        ("size = 100001, ttl = \"1h\"", "history.size is 100001"),
        ("size = 1, ttl = \"0s\"", "history.ttl is \"0s\""),
        (
            "size = 1, ttl = \"366d\"",
            "a channel's history.ttl is \"366d\"",
        ),
    ] {
        let text = format!("{}history = {{ {history} }}\n", SAFE);
        one(&folder, &text, "history =", says);
    }
}

#[test]
fn keys_that_stand_nowhere() {
    let folder = Folder::new();
    let and = |lines: &str| format!("{SAFE}{lines}\n");
    assert_eq!(folder.problems(&and("conflate = \"/symbol\"")), [""; 0]);
    let schema = r#"{ "type": "object", "properties": { "a": { "type": "array" } } }"#;
    folder.write("lists.json", schema, 0o644);
    for (lines, says) in [
        ("conflate = \"symbol\"", "is no JSON Pointer"),
        ("conflate = \"\"", "is no JSON Pointer"),
        ("conflate = \"/a~2\"", "is no JSON Pointer"),
        (
            "schema = \"lists.json\"\nconflate = \"/a\"",
            "neither a string nor an integer",
        ),
        ("binary = true\nconflate = \"/a\"", "a key in bytes"),
        (
            "last_value = true\nconflate = \"/a\"",
            "and of each key too",
        ),
    ] {
        one(&folder, &and(lines), "conflate =", says);
    }
}
