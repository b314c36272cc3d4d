//! `issuer.introspection`: what would show tokens to somebody else, or have them tried out.

use super::*;

const ASKED: &str = "audience = \"wardwire\"\nintrospection = { client_id = \"wardwire\", client_secret_file = \"client.secret\" }\n";

fn asking(lines: &str) -> String {
    with("audience = \"wardwire\"\n", lines)
}

fn refused(folder: &Folder, lines: &str, word: &str) {
    let problems = folder.problems(&asking(lines)).join("\n");
    assert!(problems.contains(word), "{lines}: {problems}");
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("client.secret", "s3cret\n", 0o600);
    folder
}

#[test]
fn an_issuer_is_asked_by_a_client_that_proves_itself() {
    let folder = folder();
    assert_eq!(folder.problems(&asking(ASKED)), [""; 0]);
    let more = ASKED.replace(" }", ", client_auth = \"post\", endpoint = \"https://id.example.com/ask\", cache = \"0s\", recheck = \"1s\" }");
    assert_eq!(folder.problems(&asking(&more)), [""; 0]);
    let with_auth = |auth: &str| ASKED.replace("client_secret_file = \"client.secret\"", auth);
    refused(
        &folder,
        &with_auth("client_auth = \"none\""),
        "nothing would prove who asks",
    );
    refused(
        &folder,
        &with_auth("client_auth = \"basic\""),
        "nothing by which",
    );
    refused(
        &folder,
        &with_auth("client_auth = \"private_key\""),
        "nothing by which",
    );
    folder.write("client.secret", "s3cret", 0o644);
    refused(&folder, ASKED, "can be read or written by others");
}

#[test]
fn what_would_be_asked_of_somebody_else_or_believed_of_anything() {
    let folder = folder();
    for endpoint in [
        "http://id.example.com/ask",
        "https://user@id.example.com/ask",
        "/ask",
    ] {
        let text = ASKED.replace(" }", &format!(", endpoint = \"{endpoint}\" }}"));
        refused(&folder, &text, "the endpoint is not https");
    }
    refused(
        &folder,
        &ASKED.replace("audience = \"wardwire\"\n", ""),
        "no `audience` that they could mean",
    );
    refused(
        &folder,
        &ASKED.replace("client_id = \"wardwire\"", "client_id = \"\""),
        "the client_id is empty",
    );
    for (key, value) in [("cache", "6m"), ("recheck", "500ms"), ("recheck", "2h")] {
        let text = ASKED.replace(" }", &format!(", {key} = \"{value}\" }}"));
        refused(&folder, &text, key);
    }
}

#[test]
fn opaque_tokens_are_shown_to_one_issuer_only() {
    let folder = folder();
    let second = format!(
        "name = \"one\"\n{ASKED}[[issuer]]\nissuer = \"https://other.example.com\"\nname = \"other\"\n{ASKED}"
    );
    refused(&folder, &second, "several issuers would be asked");
    let alone = second.rsplit_once("introspection").unwrap().0;
    assert_eq!(folder.problems(&asking(alone)), [""; 0]);
}
