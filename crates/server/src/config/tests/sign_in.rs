//! `issuer.sign_in`: what would send browsers astray, or only seem to protect them.

use super::*;

const PUBLIC: &str = "sign_in = { client_id = \"web\", client_auth = \"none\", callback = \"https://app.example.com/.wardwire/callback\" }\n";

fn signing_in(sign_in: &str) -> String {
    with("audience = \"wardwire\"\n", sign_in)
}

fn refused(folder: &Folder, sign_in: &str, word: &str) {
    let problems = folder.problems(&signing_in(sign_in)).join("\n");
    assert!(problems.contains(word), "{sign_in}: {problems}");
}

#[test]
fn browsers_sign_in_where_no_access_token_is_believed() {
    let folder = Folder::new();
    assert_eq!(folder.problems(&signing_in(PUBLIC)), [""; 0]);
    folder.write("client.secret", "s3cret\n", 0o600);
    let secret = PUBLIC.replace(
        "client_auth = \"none\"",
        "client_secret_file = \"client.secret\"",
    );
    assert_eq!(folder.problems(&signing_in(&secret)), [""; 0]);
}

#[test]
fn what_would_lead_browsers_elsewhere() {
    let folder = Folder::new();
    for callback in [
        "http://app.example.com/.wardwire/callback",
        "https://app.example.com/callback",
        "https://app.example.com/x/.wardwire/callback",
        "https://user@app.example.com/.wardwire/callback",
        "/.wardwire/callback",
    ] {
        let text = PUBLIC.replace("https://app.example.com/.wardwire/callback", callback);
        refused(&folder, &text, "is no callback");
    }
    let after = PUBLIC.replace("client_auth", "after_logout = \"/bye\", client_auth");
    refused(&folder, &after, "after_logout is not");
}

#[test]
fn a_client_that_could_not_prove_itself_or_whose_secret_is_known() {
    let folder = Folder::new();
    let with_auth = |auth: &str| PUBLIC.replace("client_auth = \"none\"", auth);
    refused(
        &folder,
        &with_auth("client_auth = \"basic\""),
        "nothing by which",
    );
    let file = with_auth("client_secret_file = \"client.secret\"");
    refused(&folder, &file, "is of no use");
    folder.write("client.secret", "two\nlines\n", 0o600);
    refused(&folder, &file, "is of no use");
    folder.write("client.secret", "s3cret", 0o644);
    refused(&folder, &file, "can be read or written by others");
    let both = with_auth("client_auth = \"none\", client_secret_file = \"client.secret\"");
    refused(&folder, &both, "is not asked for");
    folder.write("client.pem", "no key", 0o600);
    let key = with_auth("client_auth = \"private_key\", client_key_file = \"client.pem\"");
    refused(&folder, &key, "is of no use");
}
