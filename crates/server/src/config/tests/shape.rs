//! What the file may hold: no key and no type but those that are documented.

use super::*;
use crate::config::schema::Shape;

/// A text with this key in this table.
fn line_in(table: &str, key: &str) -> String {
    let header = |table: &str| match table {
        "issuer" | "route" | "channel" => format!("[[{table}]]"),
        _ => format!("[{table}]"),
    };
    match table.split_once('.') {
        Some((table, inner)) => format!("{}\n{inner} = {{ {key} = 0 }}", header(table)),
        None if table.is_empty() => format!("\n{key} = 0"),
        None => format!("{}\n{key} = 0", header(table)),
    }
}

/// Every table with its keys.
fn tables() -> Vec<(String, Vec<&'static str>)> {
    fn collect(shape: Shape<'static>, path: &str, all: &mut Vec<(String, Vec<&'static str>)>) {
        let keys = shape.keys();
        // Rights lie in rights, without end.
        for key in keys.iter().filter(|key| !["any", "all"].contains(key)) {
            let path = crate::config::places::inner(path, key);
            collect(shape.key(key).unwrap(), &path, all);
        }
        if !keys.is_empty() {
            all.push((path.to_owned(), keys));
        }
    }
    let mut all = Vec::new();
    collect(Shape::file(), "", &mut all);
    assert!(all.len() > 15, "{all:?}");
    all
}

#[test]
fn an_unknown_key_in_any_table_is_refused_with_the_one_that_was_meant() {
    let folder = Folder::new();
    for (table, keys) in tables() {
        for key in keys {
            let problems = folder.problems(&line_in(&table, &format!("{key}x")));
            let says = format!("has no key `{key}x` | Did you mean `{key}`?");
            assert!(
                problems
                    .iter()
                    .any(|it| it.starts_with("2: ") && it.contains(&says)),
                "{table}.{key}: {problems:#?}"
            );
        }
    }
}

#[test]
fn a_key_of_the_schema_is_one_that_the_shape_has() {
    let folder = Folder::new();
    for (table, keys) in tables() {
        for key in keys {
            let problems = folder.problems(&line_in(&table, key)).concat();
            assert!(!problems.contains("unknown field"), "{problems}");
        }
    }
}

#[test]
fn a_file_with_every_key_is_taken() {
    let folder = Folder::new();
    folder.write(
        "ca.pem",
        &fs::read_to_string(folder.0.join("cert.pem")).unwrap(),
        0o644,
    );
    folder.write("keys.json", &keys(), 0o644);
    folder.signing_key();
    let problems = folder.problems(&everything());
    assert_eq!(problems, [""; 0]);
}

/// Every key there is.
fn everything() -> String {
    r#"
[server]
listen = "127.0.0.1:0"
origins = ["https://app.example.com"]
hosts = ["ws.example.com"]
drain = "10s"
threads = 2
redirect = "127.0.0.1:0"
redirect_port = 443
tls = { cert = "cert.pem", key = "key.pem" }

[audit]
file = "log/audit.jsonl"
rotate = { size = "16KiB", age = "1m" }
keep = 1
signing_key = "audit.key"
ship = "syslog:/dev/log"
ship_required = true

[admin]
listen = "127.0.0.1:0"
token_file = "admin.token"

[outbound]
allow = ["127.0.0.1/32", "10.0.0.0/8"]

[limits]
message = "64KiB"
fragments = 64
message_time = "10s"
outbox = 1048576
connections_per_ip = 1000
connections_per_subject = 100
unadmitted = 1024
sessions = 100000
handshake = "10s"
ping = "25s"
pong = "20s"
messages_per_second = 200
subscriptions = 128
channels = 100000

[[issuer]]
issuer = "https://id.example.com"
name = "staff"
audience = "wardwire"
profile = "jwt"
algorithms = ["ES256", "RS256"]
jwks_url = "https://id.example.com/keys"
leeway = "5s"
max_token_lifetime = "1h"
ca = "ca.pem"
discriminator = { claim = "azp", equals = "web" }

[[issuer]]
issuer = "https://other.example.com"
name = "others"
audience = "wardwire"
jwks_file = "keys.json"

[[route]]
path = "/live"
kind = "channels"
anonymous = false
native_clients = true
require = { acr = "mfa", amr = ["otp"], max_age = "1h" }
limits = { message = 1000, fragments = 1, messages_per_second = 0 }
compression = { threshold = "256B", level = 1 }

[[channel]]
name = "chat/{room}"
subscribe = { claim = "rooms", contains = "{room}" }
publish = { claim = "team", equals = "{room}" }
history = { size = 100, ttl = "1h" }

[development]
any_origin = false
without_issuer = false

"#
    .to_owned()
}

#[test]
fn a_key_like_none_is_refused_with_those_there_are() {
    let problems = Folder::new().problems(&with("tls = {", "zebra = 1\ntls = {"));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with(
        "5: [server] has no key `zebra` | [server] has: acme, certificates, client_certificates,"
    ));
}

#[test]
fn values_of_a_wrong_type_are_all_named() {
    let text = with("\"127.0.0.1:0\"\norigins", "\"somewhere\"\norigins")
        .replace("audience = \"wardwire\"", "audience = [\"wardwire\"]")
        .replace("\"authenticated\"", "\"everybody\"")
        .replace("\"/live\"", "\"/live\"\nkind = \"raw\"\nanonymous = \"no\"");
    let text = format!("{text}history = {{ size = -1, ttl = \"soon\" }}\n[limits]\nmessage = -1\n");
    let problems = Folder::new().problems(&text);
    let lines: Vec<_> = problems
        .iter()
        .map(|it| it.split_once(':').unwrap().0)
        .collect();
    assert_eq!(
        lines,
        ["3", "13", "17", "18", "23", "24", "24", "26"],
        "{problems:#?}"
    );
    assert!(
        problems[4].contains("\"nobody\", \"authenticated\", \"anyone\""),
        "{problems:#?}"
    );
}

#[test]
fn rights_that_are_two_or_half_are_refused() {
    let folder = Folder::new();
    for right in [
        "{ claim = \"a\" }",
        "{ contains = \"a\" }",
        "{ claim = \"a\", contains = \"b\", equals = \"c\" }",
        "{}",
        "true",
        "[\"authenticated\"]",
        "\"Anyone\"",
    ] {
        one(
            &folder,
            &with("\"authenticated\"", right),
            "publish =",
            "right",
        );
    }
}

#[test]
fn what_must_be_there_is_named() {
    let folder = Folder::new();
    let text = with("listen = \"127.0.0.1:0\"\norigins", "origins");
    one(&folder, &text, "[server]", "`listen` is missing");
    one(
        &folder,
        &with("path = \"/live\"", ""),
        "[[route]]",
        "`path` is missing",
    );
    let problems = folder.problems("");
    assert!(problems[0].contains("`server` is missing"), "{problems:?}");
}

#[test]
fn a_text_that_is_not_toml_is_refused_where_it_breaks() {
    let folder = Folder::new();
    for (broken, at) in [
        ("origins = [\"https://app.example.com\"", "tls ="),
        ("origins = https://app.example.com", "origins ="),
    ] {
        let text = with("origins = [\"https://app.example.com\"]", broken);
        let problems = folder.problems(&text);
        let line = line_of(&text, at);
        assert!(!problems.is_empty());
        assert!(
            problems
                .iter()
                .any(|it| it.starts_with(&format!("{line}: "))),
            "{problems:#?}"
        );
    }
    let twice = with(
        "audience = \"wardwire\"",
        "audience = \"wardwire\"\naudience = \"b\"",
    );
    assert!(
        !folder.problems(&twice).is_empty(),
        "a key that stands twice"
    );
}

#[test]
fn words_of_a_file_cannot_steer_a_terminal() {
    let folder = Folder::new();
    let hostile = "\\u001b[2Jx\\u202e";
    for text in [
        and(&format!("\"{hostile}\" = 1")),
        with("\"/live\"", &format!("\"/live\"\nkind = \"{hostile}\"")),
        with("\"/live\"", &format!("\"{hostile}\"")),
        with("\"chat/{room}\"", &format!("\"{hostile}\"")),
        with("https://app.example.com", hostile),
        with("127.0.0.1:0\"\norigins", &format!("{hostile}\"\norigins")),
    ] {
        let problems = folder.problems(&text).concat();
        assert!(!problems.is_empty());
        assert!(!problems.contains(['\u{1b}', '\u{202e}']), "{problems:?}");
    }
}
