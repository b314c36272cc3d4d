//! `[[issuer]]`: whose tokens could let a wrong one in.

use super::*;

/// [`SAFE`] with another issuer.
fn issuer(lines: &str) -> String {
    with(
        "issuer = \"https://id.example.com\"\naudience = \"wardwire\"",
        lines,
    )
}

const WHO: &str = "issuer = \"https://id.example.com\"\naudience = \"wardwire\"\n";

#[test]
fn none() {
    let (before, after) = SAFE.split_once("[[issuer]]").unwrap();
    let text = format!("{before}{}", &after[after.find("[[route]]").unwrap()..]);
    let problems = Folder::new().problems(&text);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("there is no [[issuer]] of users and no [forward_auth]"),
        "{problems:?}"
    );
    assert!(problems[0].contains("development.without_issuer = true"));
}

#[test]
fn without_an_audience() {
    let folder = Folder::new();
    let text = issuer("issuer = \"https://id.example.com\"");
    one(&folder, &text, "[[issuer]]", "no `audience`");
    let text = issuer("issuer = \"https://id.example.com\"\naudience = \"\"");
    one(&folder, &text, "audience =", "no `audience`");
}

#[test]
fn whose_keys_would_come_over_an_open_line() {
    let folder = Folder::new();
    for name in [
        "http://id.example.com",
        "id.example.com",
        "https://",
        "https://u:p@id.example.com",
    ] {
        let text = issuer(&format!("issuer = \"{name}\"\naudience = \"wardwire\""));
        one(&folder, &text, "issuer = ", "is not an https URL");
        let url = "\"https://id.example.com/keys\"";
        let text = issuer(&format!("{WHO}jwks_url = {url}")).replace(url, &format!("{name:?}"));
        one(&folder, &text, "jwks_url =", "is not https");
    }
    let text = issuer("issuer = \"\"\naudience = \"wardwire\"\njwks_url = \"https://a.example/k\"");
    one(&folder, &text, "issuer = ", "the issuer is empty");
}

#[test]
fn with_a_symmetric_algorithm_or_none() {
    let folder = Folder::new();
    for name in [
        "HS256", "HS384", "HS512", "none", "None", "", "es256", "RSA1_5",
    ] {
        let text = issuer(&format!("{WHO}algorithms = [\"ES256\", \"{name}\"]"));
        one(&folder, &text, "algorithms =", "is not taken");
    }
}

#[test]
fn whose_access_tokens_nothing_tells_apart() {
    let folder = Folder::new();
    let text = issuer(&format!("{WHO}profile = \"jwt\""));
    one(&folder, &text, "profile =", "needs a `discriminator`");
    for told in [
        "claim = \"\", equals = \"web\"",
        "claim = \"azp\", equals = \"\"",
    ] {
        let text = issuer(&format!(
            "{WHO}profile = \"jwt\"\ndiscriminator = {{ {told} }}"
        ));
        one(&folder, &text, "discriminator =", "tells nothing apart");
    }
    let text = issuer(&format!(
        "{WHO}discriminator = {{ claim = \"azp\", equals = \"web\" }}"
    ));
    one(
        &folder,
        &text,
        "discriminator =",
        "asked for with profile \"jwt\" only",
    );
}

#[test]
fn who_stands_twice() {
    let again = "[[issuer]]\nissuer = \"https://id.example.com\" # again\naudience = \"b\"";
    one(&Folder::new(), &and(again), "# again", "stands twice");
}

#[test]
fn whose_users_could_pass_for_those_of_another() {
    let other = |name: &str| {
        format!("[[issuer]]\nissuer = \"https://other.example\" # other\naudience = \"b\"\n{name}")
    };
    let folder = Folder::new();
    let text = and(&other("name = \"staff\""));
    one(
        &folder,
        &text,
        "issuer = \"https://id",
        "this one has no `name`",
    );
    let staff = "issuer = \"https://id.example.com\"";
    let text = and(&other("name = \"staff\" # again"));
    let text = text.replacen(staff, &format!("{staff}\nname = \"staff\""), 1);
    one(&folder, &text, "# again", "two issuers have this name");
    let text = issuer(&format!("{WHO}name = \"a:b\""));
    one(&folder, &text, "name = \"a:b", "no name for an issuer");
}

#[test]
fn with_two_places_for_keys() {
    let folder = Folder::new();
    folder.write("keys.json", "{\"keys\":[]}", 0o644);
    let places = "jwks_url = \"https://id.example.com/keys\"\njwks_file = \"keys.json\"";
    let text = issuer(&format!("{WHO}{places}"));
    one(
        &folder,
        &text,
        "jwks_file =",
        "both `jwks_url` and `jwks_file`",
    );
}

#[test]
fn with_a_key_file_of_no_use() {
    let folder = Folder::new();
    let text = issuer(&format!("{WHO}jwks_file = \"keys.json\""));
    one(&folder, &text, "jwks_file =", "cannot be read");
    let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}"#;
    for content in ["", "[]", "{\"keys\":{}}", "{\"keys\":[]}", symmetric] {
        folder.write("keys.json", content, 0o644);
        one(&folder, &text, "jwks_file =", "of no use");
    }
}

#[test]
fn with_a_root_of_no_use() {
    let folder = Folder::new();
    let text = issuer(&format!("{WHO}ca = \"ca.pem\""));
    one(&folder, &text, "ca = ", "cannot be read");
    folder.write("ca.pem", "hello", 0o644);
    one(&folder, &text, "ca = ", "holds no certificate");
}

#[test]
fn whose_files_anybody_can_write() {
    let folder = Folder::new();
    folder.write("keys.json", &keys(), 0o646);
    let text = issuer(&format!("{WHO}jwks_file = \"keys.json\""));
    one(&folder, &text, "jwks_file =", "written by everybody");
    let root = fs::read_to_string(folder.0.join("cert.pem")).unwrap();
    folder.write("ca.pem", &root, 0o646);
    let text = issuer(&format!("{WHO}ca = \"ca.pem\""));
    one(&folder, &text, "ca = ", "written by everybody");
}

#[test]
fn with_too_much_leeway() {
    let text = issuer(&format!("{WHO}leeway = \"301s\""));
    one(
        &Folder::new(),
        &text,
        "leeway =",
        "an issuer's leeway is \"301s\"",
    );
}
