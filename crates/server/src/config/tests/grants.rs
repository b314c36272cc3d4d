//! `issuer.signs`: who may let users into channels, and says nothing else of them.

use super::*;

const APP: &str = "[[issuer]]\nissuer = \"https://app.example.com\"\naudience = \"wardwire\"\nsigns = [\"grants\"]\n[[route]]";

fn problems(what: &str, instead: &str) -> String {
    let app = APP.replacen(what, instead, 1);
    Folder::new().problems(&with("[[route]]", &app)).join("\n")
}

#[test]
fn an_issuer_of_grants_alone_stands_beside_one_of_users_without_names() {
    assert_eq!(problems("", ""), "");
    let both = problems("[\"grants\"]", "[\"grants\", \"tokens\"]");
    assert!(both.contains("could pass for one another"), "{both}");
    let one = with(
        "audience = \"wardwire\"",
        "audience = \"wardwire\"\nsigns = [\"tokens\", \"grants\"]",
    );
    assert_eq!(Folder::new().problems(&one), [""; 0]);
}

#[test]
fn what_only_users_have_is_refused_beside_it() {
    let beside = |line: &str| problems("signs =", &format!("{line}\nsigns ="));
    for line in [
        "name = \"app\"",
        "sign_in = { client_id = \"x\", client_auth = \"none\", callback = \"https://app.example.com/.wardwire/callback\" }",
        "introspection = { client_id = \"x\", client_auth = \"none\" }",
    ] {
        let told = beside(line);
        assert!(told.contains("has no users"), "{line}: {told}");
    }
}

#[test]
fn one_that_signs_nothing_or_for_anybody_is_refused() {
    let nothing = problems("[\"grants\"]", "[]");
    assert!(
        nothing.contains("signs nothing that would be believed"),
        "{nothing}"
    );
    let anything = problems("[\"grants\"]", "[\"everything\"]");
    assert!(anything.contains("everything"), "{anything}");
    let anybody = problems("audience = \"wardwire\"\n", "");
    assert!(anybody.contains("no `audience`"), "{anybody}");
}

#[test]
fn somebody_has_to_say_who_users_are() {
    let alone = with(
        "audience = \"wardwire\"",
        "audience = \"wardwire\"\nsigns = [\"grants\"]",
    );
    let told = Folder::new().problems(&alone).join("\n");
    assert!(told.contains("nobody could prove who they are"), "{told}");
}
