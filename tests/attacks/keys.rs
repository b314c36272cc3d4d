use serde_json::{Value, json};

use super::{native, refused};
use crate::harness::{Issuer, KeyServer, Server, Setup, response};

/// A server whose issuer's keys are fetched, and the server that has them.
pub(super) fn start() -> (Server, KeyServer) {
    let mut setup = Setup::new();
    let keys = KeyServer::start(&setup);
    setup.issuers = keys.issuer();
    (setup.start(), keys)
}

#[test]
fn attack_033_a_flood_of_unknown_key_ids() {
    let (server, keys) = start();
    keys.serve_keys(&server.issuer.jwks());
    server.open(native(&server.issuer.token("alice").mint()));
    for n in 0..100 {
        let token = server
            .issuer
            .token("mallory")
            .header("kid", format!("unknown-{n}"))
            .mint();
        let mut connection = server.connect();
        connection.send(native(&token).text().as_bytes());
        assert_eq!(connection.response().status, 401);
    }
    assert!(keys.asked() <= 2, "{} fetches", keys.asked());
    server.open(native(&server.issuer.token("alice").mint()));
}

#[test]
fn attack_040_keys_that_cannot_be_had() {
    let (server, keys) = start();
    let token = server.issuer.token("alice").mint();
    let response = refused(&server, &native(&token), 503, "keys-unavailable");
    assert!(response.header("retry-after").parse::<u32>().unwrap() > 0);
    assert!(keys.asked() > 0);
    // What needs no keys still works.
    server.echo();
}

#[test]
fn attack_040_keys_that_were_had_still_serve() {
    let (server, keys) = start();
    keys.serve_keys(&server.issuer.jwks());
    server.socket("alice");
    keys.answer("not even HTTP".into());
    server.socket("bob");
    let unknown = server.issuer.token("mallory").header("kid", "k2").mint();
    let mut connection = server.connect();
    connection.send(native(&unknown).text().as_bytes());
    assert!(matches!(connection.response().status, 401 | 503));
    server.socket("carol");
}

#[test]
fn attack_040_keys_that_come_too_slowly() {
    let (server, keys) = start();
    keys.serve_keys(&server.issuer.jwks());
    keys.hold();
    let token = server.issuer.token("alice").mint();
    let mut waiting = server.connect();
    waiting.send(native(&token).text().as_bytes());
    keys.wait_for(1);
    // Whoever needs no keys does not wait.
    let mut echo = server.echo();
    echo.text("hi");
    assert_eq!(echo.next().unwrap().payload, b"hi");
    let response = waiting.response();
    assert_eq!(response.status, 503);
    assert!(response.header("retry-after").parse::<u32>().unwrap() > 0);
    server.refused("keys-unavailable");
    keys.release();
}

/// A server that finds its issuer's keys by discovery (OpenID Connect Discovery 1.0 §4), and the issuer.
fn discovering(document: impl FnOnce(&str) -> serde_json::Value) -> (Server, KeyServer, Issuer) {
    let mut setup = Setup::new();
    let keys = KeyServer::start(&setup);
    let url = keys.url();
    setup.issuers =
        format!("[[issuer]]\nissuer = \"{url}\"\naudience = \"wardwire\"\nca = \"ca.pem\"\n");
    setup.issuer.name.clone_from(&url);
    let issuer = setup.issuer.clone();
    let document = document(&url).to_string();
    keys.answer_at(
        "/.well-known/openid-configuration",
        response("200 OK", "Content-Type: application/json\r\n", &document),
    );
    keys.serve_keys(&issuer.jwks());
    (setup.start(), keys, issuer)
}

#[test]
fn attack_083_what_an_issuer_says_of_its_keys() {
    let good = |url: &str| json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") });
    let (server, keys, issuer) = discovering(good);
    server.open(native(&issuer.token("alice").mint()));
    assert_eq!(keys.asked(), 2);
    // A listener that nobody may reach: only 127.0.0.1 is allowed.
    let inner = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    inner.set_nonblocking(true).unwrap();
    let port = inner.local_addr().unwrap().port();
    let bad = [
        format!("https://127.0.0.2:{port}/jwks"),
        format!("https://[::ffff:127.0.0.2]:{port}/jwks"),
        format!("http://127.0.0.2:{port}/jwks"),
        "https://169.254.169.254/latest/meta-data".into(),
        "https://10.0.0.1/jwks".into(),
        "file:///etc/passwd".into(),
    ];
    for location in bad {
        let (server, keys, issuer) =
            discovering(|url| json!({ "issuer": url, "jwks_uri": location }));
        let token = issuer.token("alice").mint();
        refused(&server, &native(&token), 503, "keys-unavailable");
        assert_eq!(keys.asked(), 1, "{location}");
        assert!(inner.accept().is_err(), "{location}");
    }
    for document in [
        json!({ "issuer": "https://other.test" }),
        json!({ "jwks_uri": "x" }),
        json!([]),
    ] {
        let (server, keys, issuer) = discovering(|url| {
            let mut document = document.clone();
            if document["jwks_uri"].is_null() && document.is_object() {
                document["jwks_uri"] = format!("{url}/jwks").into();
            }
            document
        });
        let token = issuer.token("alice").mint();
        refused(&server, &native(&token), 503, "keys-unavailable");
        assert_eq!(keys.asked(), 1, "{document}");
    }
}

#[test]
fn attack_083_key_sets_that_redirect_or_lie() {
    let target = Setup::new();
    let inner = KeyServer::start(&target);
    inner.serve_keys(&target.issuer.jwks());
    let (server, keys) = start();
    keys.redirect(&format!("https://localhost:{}/jwks", inner.address.port()));
    refused(
        &server,
        &native(&server.issuer.token("alice").mint()),
        503,
        "keys-unavailable",
    );
    assert_eq!(inner.asked(), 0, "a redirect is not followed");
}

#[test]
fn attack_083_private_addresses_that_nobody_allowed() {
    let mut setup = Setup::new();
    let keys = KeyServer::start(&setup);
    keys.serve_keys(&setup.issuer.jwks());
    setup.issuers = keys.issuer();
    let config = setup
        .config()
        .replace("allow = [\"127.0.0.1/32\"]", "allow = []");
    let server = setup.start_with(&config);
    refused(
        &server,
        &native(&server.issuer.token("alice").mint()),
        503,
        "keys-unavailable",
    );
    assert_eq!(keys.asked(), 0);
}

#[test]
fn attack_083_a_root_of_one_issuer_vouches_for_no_other() {
    let mut setup = Setup::new();
    let keys = KeyServer::start(&setup);
    keys.serve_keys(&setup.issuer.jwks());
    let other = "[[issuer]]\nissuer = \"https://other.test\"\nname = \"other\"\naudience = \"wardwire\"\nca = \"ca.pem\"\n";
    let own = keys
        .issuer()
        .replace("ca = \"ca.pem\"\n", "name = \"own\"\n");
    setup.issuers = format!("{own}{other}");
    let server = setup.start();
    refused(
        &server,
        &native(&server.issuer.token("alice").mint()),
        503,
        "keys-unavailable",
    );
    assert_eq!(keys.asked(), 0);
}

#[test]
fn attack_083_a_root_of_the_system_does_not_vouch_for_an_issuer_with_its_own() {
    for (own, trusted) in [("", true), ("ca = \"own.pem\"\n", false)] {
        let mut setup = Setup::new();
        let keys = KeyServer::start(&setup);
        keys.serve_keys(&setup.issuer.jwks());
        // What vouches for the key server is one of the system's authorities here.
        let system = setup.folder.join("ca.pem");
        let others = Setup::new();
        std::fs::copy(others.folder.join("ca.pem"), setup.folder.join("own.pem")).unwrap();
        std::fs::remove_dir_all(others.folder).unwrap();
        setup.issuers = keys.issuer().replace("ca = \"ca.pem\"\n", own);
        let setup = setup.environment("SSL_CERT_FILE", system.to_str().unwrap());
        let server = setup.start();
        let handshake = native(&server.issuer.token("alice").mint());
        if trusted {
            server.open(handshake);
        } else {
            refused(&server, &handshake, 503, "keys-unavailable");
            assert_eq!(keys.asked(), 0);
        }
    }
}

#[test]
fn attack_083_key_urls_that_are_not_https() {
    for url in ["http://127.0.0.1/jwks", "file:///etc/passwd", "gopher://x"] {
        let mut setup = Setup::new();
        let keys = KeyServer::start(&setup);
        let port = keys.address.port();
        setup.issuers = keys
            .issuer()
            .replace(&format!("https://localhost:{port}/jwks"), url);
        let path = setup.folder.join("bad.toml");
        std::fs::write(&path, setup.config()).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wardwire"))
            .args(["check", "--config"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .contains("is not https"),
            "{url}"
        );
    }
}

#[test]
fn attack_083_key_sets_of_any_size_and_shape() {
    type Body<'a> = &'a dyn Fn(&Value) -> String;
    let own = |jwk: &Value, others: usize, pad: usize| {
        let mut keys = vec![json!({ "kty": "EC" }); others];
        keys.push(jwk.clone());
        json!({ "keys": keys, "pad": "x".repeat(pad) }).to_string()
    };
    let symmetric = r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"k1"}]}"#;
    let bodies: [(Body<'_>, u16); 8] = [
        (&|jwk| own(jwk, 63, 200 * 1024), 101),
        (&|jwk| own(jwk, 64, 0), 503),
        (&|jwk| own(jwk, 0, 300 * 1024), 503),
        (&|_| "{}".into(), 503),
        (&|_| "[]".into(), 503),
        (&|_| r#"{"keys":[],"keys":[]}"#.into(), 503),
        (&|_| r#"{"keys":[]}"#.into(), 401),
        (&|_| symmetric.into(), 401),
    ];
    for (case, (body, status)) in bodies.into_iter().enumerate() {
        let (server, keys) = start();
        keys.answer(response("200 OK", "", &body(&server.issuer.jwk())));
        let token = server.issuer.token("alice").mint();
        let mut connection = server.connect();
        connection.send(native(&token).text().as_bytes());
        assert_eq!(connection.response().status, status, "case {case}");
    }
}

crate::harness::over_http2![
    attack_033_a_flood_of_unknown_key_ids,
    attack_040_keys_that_cannot_be_had,
    attack_040_keys_that_were_had_still_serve,
    attack_040_keys_that_come_too_slowly,
];

/// Of keys that are fetched the same is asked beside the code, where a minute passes at once.
#[test]
fn attack_080_a_key_that_is_taken_out_of_its_file() {
    let server = Server::start();
    let (old, mut new) = (server.issuer.clone(), Issuer::new("https://id.test"));
    new.kid = "k2".into();
    let mut socket = server.open(native(&old.token("alice").mint()));
    let file = server.folder.join("jwks.json");
    let both = json!({ "keys": [old.jwk(), new.jwk()] });
    for (keys, taken) in [(both, vec![&old, &new]), (new.jwks(), vec![&new])] {
        std::fs::write(&file, keys.to_string()).unwrap();
        let reloaded = server.admin("POST", "/reload", "");
        assert_eq!(reloaded.status, 200, "{reloaded:?}");
        for issuer in taken {
            server.open(native(&issuer.token("bob").mint()));
        }
    }
    refused(&server, &native(&old.token("bob").mint()), 401, "token-key");
    // It was let in by what held then, until its `exp` or a revocation.
    socket.ok("ping", json!({}));
}
