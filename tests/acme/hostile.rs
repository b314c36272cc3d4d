//! What an authority could do to a server that asks it for a certificate.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{DIRECTORY, Front, HOST, agree, configured, offering};
use crate::harness::{Server, Setup, pebble, response, roots, secret, tls};

const JSON: &str = "Content-Type: application/json\r\nReplay-Nonce: bm9uY2U\r\n";

/// An authority that behaves until it is told otherwise: every host is shown to be ours, and nothing is signed yet.
fn authority(setup: &Setup) -> Front {
    let front = Front::start(&setup.folder, None);
    let ok = |value: serde_json::Value| response("200 OK", JSON, &value.to_string());
    front.answer(DIRECTORY, &ok(directory(&front, &front.url("/nonce"))));
    front.answer("/nonce", &response("200 OK", JSON, ""));
    let account = format!("{JSON}Location: {}\r\n", front.url("/account/1"));
    front.answer("/account", &response("201 Created", &account, "{}"));
    front.answer("/order", &order(&front, 1));
    let authorization = |host: &str| {
        let identifier = json!({ "type": "dns", "value": host });
        ok(json!({ "status": "valid", "identifier": identifier, "challenges": [] }))
    };
    front.answer("/authorization/", &authorization(HOST));
    front.answer("/authorization/evil", &authorization("evil.test"));
    front
}

fn directory(front: &Front, nonce: &str) -> serde_json::Value {
    json!({ "newNonce": nonce, "newAccount": front.url("/account"), "newOrder": front.url("/order") })
}

/// An order that is not decided, with so many authorizations.
fn order(front: &Front, authorizations: usize) -> String {
    let each: Vec<_> = (0..authorizations)
        .map(|number| front.url(&format!("/authorization/{number}")))
        .collect();
    order_with(front, &each)
}

fn order_with(front: &Front, authorizations: &[String]) -> String {
    let location = format!("{JSON}Location: {}\r\n", front.url("/order/1"));
    let body = json!({
        "status": "pending",
        "authorizations": authorizations,
        "finalize": front.url("/finalize"),
    });
    response("201 Created", &location, &body.to_string())
}

/// Starts a server, and demands that the attempt fails for this reason, that nobody is served, and that the server goes on.
fn fails(setup: Setup, front: &Front, because: &str) -> Server {
    let config = configured(&setup, front, "");
    let server = setup.start_with(&config);
    let event = server.audited(|event| event["event"] == "certificate");
    assert_eq!(event["reason"], "failed", "{event}");
    let detail = event["detail"].as_str().unwrap();
    assert!(detail.contains(because), "{because:?}: {detail:?}");
    assert!(
        detail.chars().all(|it| !it.is_control()) && detail.len() <= 256,
        "{detail:?}"
    );
    assert_eq!(server.metric("wardwire_certificate_failures_total"), 1);
    assert_eq!(server.admin("GET", "/health/ready", "").status, 503);
    let client = pebble::client(roots(&server));
    assert!(agree(server.address, client, HOST).is_err());
    server
}

#[test]
fn answers_that_are_none_come_to_nothing() {
    let huge = "x".repeat(300 * 1024);
    let steered = json!({ "type": "urn:ietf:params:acme:error:unauthorized", "detail": "go\u{1b}[2J\r\naway" });
    let nonce =
        json!({ "type": "urn:ietf:params:acme:error:badNonce", "detail": "again" }).to_string();
    for (path, answer, because) in [
        (DIRECTORY, response("200 OK", JSON, "<html>"), "JSON"),
        (DIRECTORY, response("200 OK", JSON, "{}"), "newNonce"),
        (
            DIRECTORY,
            response("200 OK", JSON, &huge),
            "more than is accepted",
        ),
        (
            DIRECTORY,
            response("302 Found", "Location: https://localhost/\r\n", ""),
            "302",
        ),
        (
            DIRECTORY,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into(),
            "could not be reached",
        ),
        ("/nonce", response("200 OK", "", ""), "no nonce"),
        (
            "/nonce",
            response("500 Internal Server Error", "", ""),
            "newNonce",
        ),
        (
            "/account",
            response("403 Forbidden", JSON, &steered.to_string()),
            "unauthorized",
        ),
        (
            "/account",
            response("201 Created", JSON, "{}"),
            "account URL",
        ),
        (
            "/account",
            response("400 Bad Request", JSON, &nonce),
            "badNonce",
        ),
        ("/order", response("201 Created", JSON, "[]"), "JSON"),
        ("/authorization", response("200 OK", JSON, "null"), "JSON"),
    ] {
        let setup = Setup::new();
        let front = authority(&setup);
        front.answer(path, &answer);
        fails(setup, &front, because);
    }
}

#[test]
fn a_directory_leads_nowhere_else() {
    for (nonce, because) in [
        // Where the client would take it for one, and break.
        ("not a URL", "not https"),
        ("http://localhost/nonce", "not https"),
        ("https://169.254.169.254/latest/meta-data", "outbound.allow"),
        ("https://10.0.0.1/", "outbound.allow"),
    ] {
        let setup = Setup::new();
        let front = authority(&setup);
        let directory = directory(&front, nonce).to_string();
        front.answer(DIRECTORY, &response("200 OK", JSON, &directory));
        fails(setup, &front, because);
    }
}

#[test]
fn the_authority_chooses_no_host() {
    let setup = Setup::new();
    let front = authority(&setup);
    front.answer(
        "/order",
        &order_with(&front, &[front.url("/authorization/evil")]),
    );
    fails(setup, &front, "an authorization for evil.test");
    assert_eq!(front.asked("/finalize"), 0);
}

#[test]
fn an_order_without_end_ends() {
    let setup = Setup::new();
    let front = authority(&setup);
    front.answer("/order", &order(&front, 2000));
    fails(setup, &front, "more requests than an attempt may take");
    assert!(front.asked("/") <= 120, "{}", front.asked("/"));
}

#[test]
fn a_wait_that_no_clock_holds_is_none() {
    let setup = Setup::new();
    let front = authority(&setup);
    let processing =
        json!({ "status": "processing", "authorizations": [], "finalize": front.url("/finalize") });
    let fields = format!("{JSON}Retry-After: 18446744073709551615\r\n");
    front.answer(
        "/order/1",
        &response("200 OK", &fields, &processing.to_string()),
    );
    fails(setup, &front, "timed out");
}

#[test]
fn a_certificate_that_is_another_is_not_taken() {
    let ready = |front: &Front, status: &str| {
        let order = json!({
            "status": status,
            "authorizations": [front.url("/authorization/0")],
            "finalize": front.url("/finalize"),
            "certificate": front.url("/certificate"),
        });
        response("200 OK", JSON, &order.to_string())
    };
    for because in ["not the key of", "no certificate", "more than 10", "65536"] {
        let setup = Setup::new();
        let front = authority(&setup);
        front.answer_once("/order/1", &ready(&front, "ready"));
        front.answer("/finalize", &ready(&front, "processing"));
        front.answer("/order/1", &ready(&front, "valid"));
        // Somebody else's, of somebody else's key.
        let other = std::fs::read_to_string(setup.folder.join("cert.pem")).unwrap();
        let chain = match because {
            "not the key of" => other,
            "no certificate" => "nothing".to_owned(),
            "65536" => format!("{other}{}", "#".repeat(65536)),
            _ => other.repeat(11),
        };
        front.answer("/certificate", &response("200 OK", JSON, &chain));
        let server = fails(setup, &front, because);
        let kept = super::kept(&server);
        assert!(!kept.join("certificate.pem").exists());
        assert!(!kept.join("certificate.pem.new").exists());
    }
}

#[test]
fn who_offers_a_challenge_where_none_is_posed_gets_an_alert() {
    let server = Server::start();
    for protocol in ["acme-tls/1", "spdy/3"] {
        let client = offering(tls(&server), &[protocol]);
        let alert = agree(server.address, client, "localhost").err().unwrap();
        assert!(
            alert.contains("NoApplicationProtocol"),
            "{protocol}: {alert}"
        );
    }
    let client = offering(tls(&server), &["acme-tls/1", "http/1.1"]);
    assert!(agree(server.address, client, "localhost").is_ok());
}

#[test]
fn a_certificate_that_is_kept_is_used_only_for_its_hosts_and_only_if_nobody_else_can_read_it() {
    let setup = Setup::new();
    let front = authority(&setup);
    front.answer(DIRECTORY, &response("500 Internal Server Error", "", ""));
    let mut first = fails(setup, &front, "500");
    first.kill();
    let folder = first.folder.clone();
    let kept = super::kept(&first).join("certificate.pem");
    let both = ["key.pem", "cert.pem"].map(|it| std::fs::read_to_string(folder.join(it)).unwrap());
    secret(&kept, &both.concat());
    let again = || {
        let mut setup = Setup::new();
        setup.folder.clone_from(&folder);
        setup
    };
    let config = configured(&again(), &front, "");
    let own = config.replace(HOST, "localhost");
    let agreed = |config: &str| {
        let mut server = again().start_with(config);
        let agreed = agree(server.address, tls(&server), "localhost").map(drop);
        server.kill();
        // The next one needs its folder.
        std::mem::forget(server);
        agreed
    };
    assert!(agreed(&own).is_ok(), "it is for this host");
    let alert = agreed(&config).err().unwrap();
    assert!(alert.contains("AccessDenied"), "it is for another: {alert}");
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o640)).unwrap();
    let output = again().command(&own).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("chmod 600"),
        "{said}"
    );
}
