//! `[[route]]`: paths, and what they require.

use super::*;

#[test]
fn no_route() {
    let text = with("[[route]]\npath = \"/live\"", "");
    let problems = Folder::new().problems(&text);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("there is no [[route]]"));
}

#[test]
fn two_routes_of_one_path() {
    let text = and("[[route]]\npath = \"/live\" # again");
    one(&Folder::new(), &text, "# again", "two routes");
}

#[test]
fn a_path_that_is_none() {
    let folder = Folder::new();
    for path in [
        "", "live", "/a b", "/a?b", "/a#b", "/a%2f", "/../a", "/a/./b", "//a", "/\u{e9}",
    ] {
        one(&folder, &with("/live", path), "path =", "is not a path");
    }
    for path in [
        "/.wardwire",
        "/.wardwire/tickets",
        "/.wardwirex",
        "/.WardWire/x",
    ] {
        one(&folder, &with("/live", path), "path =", "server's own");
    }
}

#[test]
fn an_anonymous_route_that_requires_a_sign_in() {
    let folder = Folder::new();
    for require in ["acr = \"mfa\"", "amr = [\"otp\"]", "max_age = \"1h\""] {
        let lines = format!("\"/live\"\nanonymous = true\nrequire = {{ {require} }}");
        one(
            &folder,
            &with("\"/live\"", &lines),
            "require =",
            "an anonymous route",
        );
    }
}

#[test]
fn a_requirement_that_asks_for_nothing() {
    let folder = Folder::new();
    for (require, says) in [
        ("acr = \"\"", "empty requirement"),
        ("amr = [\"\"]", "empty requirement"),
        ("acr = 'a\"b'", "no client could be told"),
        ("acr = \"a b\"", "no client could be told"),
        ("acr = \"\u{e4}\"", "no client could be told"),
        ("max_age = \"0s\"", "a route's require.max_age is \"0s\""),
    ] {
        let text = with(
            "\"/live\"",
            &format!("\"/live\"\nrequire = {{ {require} }}"),
        );
        one(&folder, &text, "require =", says);
    }
}
