//! Opaque tokens: what a real provider says of them opens sockets and ends them, and what a bad one says opens none.

use serde_json::{Value, json};

use super::{
    Provider,
    provider::{secret_of, with_key},
};
use crate::{
    attacks::{native, refused, ticket},
    harness::{Handshake, KeyServer, Server, Setup, Ws, now, response, secret},
};

/// Kept for longer than any test takes.
const KEPT: &str = "cache = \"5m\"";
/// Never kept.
const ANEW: &str = "cache = \"0s\"";
/// Asked again all the time.
const AGAIN: &str = "cache = \"5m\"\nrecheck = \"1s\"";

fn started(more: &str) -> (Provider, Server) {
    let setup = Setup::new();
    let provider = Provider::start(&setup);
    let server = provider.asked_by(setup, "basic", more);
    (provider, server)
}

fn status(server: &Server, token: &str) -> u16 {
    let mut connection = server.connect();
    connection.send(native(token).text().as_bytes());
    connection.response().status
}

#[test]
fn what_a_real_provider_says_of_an_opaque_token_opens_its_socket_with_its_rights() {
    for client in ["basic", "post", "key"] {
        let setup = with_key();
        let provider = Provider::start(&setup);
        let server = provider.asked_by(setup, client, "");
        let token = provider.opaque(&server, "alice");
        assert!(!token.contains('.'), "{token} is opaque");
        let mut alice = server.open(native(&token));
        alice.ok("publish", json!({ "channel": "chat/lobby", "data": "hi" }));
        let mut mallory = server.open(native(&provider.opaque(&server, "mallory")));
        mallory.fails("subscribe", json!({ "channel": "chat/lobby" }), -32001);
        let event = server.audited(|event| event["event"] == "admission");
        assert_eq!(
            (&event["issuer"], &event["subject"]),
            (&json!(provider.issuer), &json!("alice"))
        );
        server.assert_unlogged(&[&token, &secret_of()]);
    }
}

#[test]
fn a_provider_is_asked_once_in_a_while_and_by_many_at_once_once() {
    let (provider, server) = started(KEPT);
    let token = provider.opaque(&server, "alice");
    let mut waiting: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for connection in &mut waiting {
        connection.send(native(&token).text().as_bytes());
    }
    for mut connection in waiting {
        assert_eq!(connection.response().status, 101);
    }
    assert_eq!(status(&server, &token), 101);
    assert_eq!(provider.introspections(&server), 1);
    // Of another it is asked all the same; and of one that does not hold as rarely.
    for _ in 0..3 {
        assert_eq!(status(&server, "invented"), 401);
    }
    assert_eq!(provider.introspections(&server), 2);
    let (provider, server) = started(ANEW);
    let token = provider.opaque(&server, "alice");
    for _ in 0..2 {
        assert_eq!(status(&server, &token), 101);
    }
    assert_eq!(provider.introspections(&server), 2);
}

#[test]
fn attack_028_what_is_kept_of_a_token_does_not_outlive_it() {
    let (provider, server) = started(KEPT);
    // One that has ended before it is shown, on a machine that has much else to do, is followed by a longer one.
    let (token, mut socket) = [2, 4, 8, 16]
        .into_iter()
        .find_map(|ttl| {
            let token = provider.issue(&server, &json!({ "account": "alice", "ttl": ttl }));
            let mut connection = server.connect();
            connection.send(native(&token).text().as_bytes());
            (connection.response().status == 101).then(|| (token, Ws::new(connection)))
        })
        .unwrap();
    let asked = provider.introspections(&server);
    socket.closes(3000, "expired");
    refused(&server, &native(&token), 401, "token-expired");
    assert_eq!(provider.introspections(&server), asked);
}

#[test]
fn attack_029_opaque_tokens_that_do_not_hold() {
    let (provider, server) = started(ANEW);
    let issue = |wanted: Value| provider.issue(&server, &wanted);
    let gone = provider.opaque(&server, "alice");
    provider.control(&server, &json!({ "destroy": gone }));
    let mut altered = provider.opaque(&server, "alice");
    altered.push('x');
    for (token, reason) in [
        ("invented".to_owned(), "token-inactive"),
        (altered, "token-inactive"),
        (gone, "token-inactive"),
        (
            issue(json!({ "account": "alice", "audience": "other" })),
            "token-audience",
        ),
        (
            issue(json!({ "account": "alice", "audience": null })),
            "token-audience",
        ),
        (
            issue(json!({ "account": "alice", "audience": "wardwire", "ttl": 3 * 24 * 3600 })),
            "token-lifetime",
        ),
        (
            issue(json!({ "account": "alice", "kind": "RefreshToken" })),
            "token-type",
        ),
    ] {
        let response = refused(&server, &native(&token), 401, reason);
        assert_eq!(
            response.header("www-authenticate"),
            "Bearer error=\"invalid_token\""
        );
    }
}

/// What does not look like a JWT is never judged as one, and the other way round: neither helps the other out.
#[test]
fn which_way_a_token_takes_is_its_look_alone() {
    let (provider, server) = started(KEPT);
    let claims = json!({
        "iss": provider.issuer, "aud": "wardwire", "sub": "alice", "iat": now(), "exp": now() + 300, "jti": "j",
    });
    let jwt = |header: Value| provider.sign(&server, &header, &claims, "");
    let mut socket = server.open(native(&jwt(json!({ "typ": "at+jwt" }))));
    let mut stranger = claims.clone();
    stranger["iss"] = json!("https://other.example");
    let stranger = provider.sign(&server, &json!({ "typ": "at+jwt" }), &stranger, "");
    let good = jwt(json!({ "typ": "at+jwt" }));
    let (signed, _) = good.rsplit_once('.').unwrap();
    for (token, reason) in [
        (jwt(json!({ "typ": "JWT" })), "token-type"),
        (stranger, "token-issuer"),
        (format!("{signed}."), "token-malformed"),
        (format!("{signed}.{}", "A".repeat(86)), "token-signature"),
        ("eyJ.x.y".to_owned(), "token-malformed"),
        ("ewo.x.y".to_owned(), "token-malformed"),
    ] {
        refused(&server, &native(&token), 401, reason);
    }
    // Nor is what no token can hold.
    socket.fails("refresh", json!({ "token": "a b&token=c" }), -32007);
    server.audited(|event| event["detail"] == "not of a token's characters");
    assert_eq!(provider.introspections(&server), 0, "shown to nobody");
    for (n, token) in ["a.b.c", "eyJ", "eyJ.x", "eyJ.x.y.z.e"]
        .into_iter()
        .enumerate()
    {
        refused(&server, &native(token), 401, "token-inactive");
        assert_eq!(provider.introspections(&server), n as u64 + 1);
    }
}

#[test]
fn attack_040_a_provider_that_is_down_opens_nothing() {
    let (mut provider, server) = started(KEPT);
    let (known, unknown) = (
        provider.opaque(&server, "alice"),
        provider.opaque(&server, "bob"),
    );
    let mut alice = server.open(native(&known));
    provider.control(&server, &json!({ "broken": true }));
    let response = refused(&server, &native(&unknown), 503, "provider-unavailable");
    assert_ne!(response.header("retry-after"), "");
    provider.control(&server, &json!({ "broken": false }));
    server.open(native(&unknown));
    provider.stop();
    refused(&server, &native("another"), 503, "provider-unavailable");
    // What was told a moment ago counts, and so does a socket.
    server.open(native(&known));
    alice.ok("ping", json!({}));
}

#[test]
fn a_revocation_drops_what_the_provider_said() {
    let (provider, server) = started(KEPT);
    let (alices, bobs) = (
        provider.opaque(&server, "alice"),
        provider.opaque(&server, "bob"),
    );
    let (mut alice, mut bob) = (server.open(native(&alices)), server.open(native(&bobs)));
    let body = json!({ "issuer": provider.issuer, "subject": "alice" }).to_string();
    assert_eq!(
        server.admin("POST", "/revocations", &body).json(),
        json!({ "ended": 1 })
    );
    alice.closes(3000, "revoked");
    assert_eq!(provider.introspections(&server), 2);
    refused(&server, &native(&alices), 401, "revoked");
    assert_eq!(provider.introspections(&server), 3, "asked anew");
    server.open(native(&bobs));
    assert_eq!(provider.introspections(&server), 3);
    bob.ok("ping", json!({}));
}

#[test]
fn whoever_signs_out_of_an_opaque_token_ends_its_sockets_only() {
    let (provider, server) = started(KEPT);
    let tokens = [
        provider.opaque(&server, "alice"),
        provider.opaque(&server, "alice"),
    ];
    let [mut out, mut stays] = tokens.each_ref().map(|token| server.open(native(token)));
    let mut connection = server.connect();
    let request = format!(
        "DELETE /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        tokens[0]
    );
    connection.send(request.as_bytes());
    assert_eq!(connection.response().status, 204);
    out.closes(3000, "logged-out");
    stays.ok("ping", json!({}));
    refused(&server, &native(&tokens[0]), 401, "revoked");
}

#[test]
fn attack_078_a_token_taken_back_at_the_provider_ends_its_sockets_and_tickets() {
    let (provider, server) = started(AGAIN);
    let (alices, bobs) = (
        provider.opaque(&server, "alice"),
        provider.opaque(&server, "bob"),
    );
    let mut tabs = [server.open(native(&alices)), server.open(native(&alices))];
    let mut bob = server.open(native(&bobs));
    let ticket = ticket(&server, &alices, "/native", None);
    provider.control(&server, &json!({ "destroy": alices }));
    for tab in &mut tabs {
        tab.closes(3000, "revoked");
    }
    let event = server.audited(|event| event["event"] == "lapse");
    assert_eq!(
        (
            &event["issuer"],
            &event["subject"],
            &event["reason"],
            &event["ended"]
        ),
        (
            &json!(provider.issuer),
            &json!("alice"),
            &json!("token-inactive"),
            &json!(2)
        )
    );
    let by_ticket = Handshake::new("/native").ticket(&ticket);
    refused(&server, &by_ticket, 401, "revoked");
    refused(&server, &native(&alices), 401, "token-inactive");
    // It is asked about the other's again and again, and that goes on.
    let before = provider.introspections(&server);
    while provider.introspections(&server) < before + 2 {}
    bob.ok("ping", json!({}));
    server.assert_unlogged(&[&alices, &bobs]);
}

#[test]
fn a_refreshed_socket_stands_on_its_new_token() {
    let (provider, server) = started(AGAIN);
    let (old, new) = (
        provider.opaque(&server, "alice"),
        provider.opaque(&server, "alice"),
    );
    let (mut moved, mut stays) = (server.open(native(&old)), server.open(native(&old)));
    moved.ok("refresh", json!({ "token": new }));
    provider.control(&server, &json!({ "destroy": old }));
    stays.closes(3000, "revoked");
    moved.ok("ping", json!({}));
    let others = provider.opaque(&server, "bob");
    moved.call("refresh", json!({ "token": "invented" }))["error"]
        .as_object()
        .unwrap();
    moved.text(
        &json!({ "jsonrpc": "2.0", "id": 99, "method": "refresh", "params": { "token": others } })
            .to_string(),
    );
    moved.closes(3003, "subject");
}

#[test]
fn attack_040_a_provider_that_does_not_answer_for_open_sockets_ends_them() {
    let (provider, server) = started(AGAIN);
    let token = provider.opaque(&server, "alice");
    let mut alice = server.open(native(&token));
    provider.control(&server, &json!({ "broken": true }));
    alice.closes(3000, "revoked");
    let event = server.audited(|event| event["event"] == "lapse");
    assert_eq!(event["reason"], "provider-unavailable");
}

/// A server whose issuer answers what it is told, over the test's own certificate.
fn told(answer: &str) -> (Server, KeyServer) {
    told_with(answer, ANEW)
}

fn told_with(answer: &str, more: &str) -> (Server, KeyServer) {
    let mut setup = Setup::new();
    let issuer = KeyServer::start(&setup);
    secret(&setup.folder.join("client.secret"), "secret");
    let url = issuer.url();
    setup.issuers = format!(
        "[[issuer]]\nissuer = \"{url}\"\naudience = \"wardwire\"\nca = \"ca.pem\"\n[issuer.introspection]\n\
         client_id = \"c\"\nclient_secret_file = \"client.secret\"\nendpoint = \"{url}/ask\"\n{more}\n"
    );
    issuer.answer_at(
        "/ask",
        response("200 OK", "Content-Type: application/json\r\n", answer),
    );
    (setup.start(), issuer)
}

fn whole(url: &str) -> Value {
    json!({
        "active": true, "iss": url, "aud": ["wardwire"], "sub": "alice", "iat": now(), "exp": now() + 300,
        "token_type": "Bearer", "client_id": "app",
    })
}

#[test]
fn attack_029_answers_that_do_not_mean_us() {
    let (server, issuer) = told("");
    let answer = |change: &dyn Fn(&mut Value)| {
        let mut answer = whole(&issuer.url());
        change(&mut answer);
        issuer.answer_at("/ask", response("200 OK", "", &answer.to_string()));
    };
    answer(&|_| {});
    server.open(native("token"));
    answer(&|it| drop(it.as_object_mut().unwrap().remove("iss")));
    server.open(native("token"));
    let cases: [(&str, Value, &str); 16] = [
        ("active", json!(false), "token-inactive"),
        ("iss", json!("https://evil.example"), "token-issuer"),
        ("iss", json!(format!("{}/", issuer.url())), "token-issuer"),
        ("aud", json!("wardwire2"), "token-audience"),
        ("aud", Value::Null, "token-claims"),
        ("sub", json!(""), "token-claims"),
        ("sub", json!(7), "token-claims"),
        ("exp", json!(now() - 1), "token-expired"),
        ("exp", json!("soon"), "token-claims"),
        ("nbf", json!(now() + 60), "token-not-yet-valid"),
        ("token_type", json!("DPoP"), "token-type"),
        ("token_type", json!(["Bearer"]), "token-type"),
        ("token_use", json!("refresh_token"), "token-type"),
        ("nonce", json!("n"), "token-type"),
        ("cnf", json!({ "jkt": "k" }), "token-type"),
        (
            "cnf",
            json!({ "x5t#S256": "A".repeat(43) }),
            "token-binding",
        ),
    ];
    for (name, value, reason) in cases {
        answer(&|it| it[name] = value.clone());
        refused(&server, &native("token"), 401, reason);
    }
    for name in ["sub", "exp"] {
        answer(&|it| drop(it.as_object_mut().unwrap().remove(name)));
        refused(&server, &native("token"), 401, "token-claims");
    }
    answer(&|it| drop(it.as_object_mut().unwrap().remove("aud")));
    refused(&server, &native("token"), 401, "token-audience");
    answer(&|it| drop(it.as_object_mut().unwrap().remove("token_type")));
    refused(&server, &native("token"), 401, "token-type");
}

#[test]
fn attack_040_what_is_no_answer_opens_nothing() {
    let (server, issuer) = told("");
    let good = whole(&issuer.url()).to_string();
    let mut long = whole(&issuer.url());
    long["pad"] = json!("x".repeat(16 * 1024));
    let redirect = response(
        "307 Temporary Redirect",
        "Location: https://evil.example/\r\n",
        "",
    );
    for answer in [
        response("200 OK", "", ""),
        response("200 OK", "", "{}"),
        response("200 OK", "", "[true]"),
        response("200 OK", "", &good.replace("true", "\"true\"")),
        response("200 OK", "", &format!("{{\"active\":false,{}", &good[1..])),
        response("200 OK", "", &long.to_string()),
        response("200 OK", "", &"x".repeat(300 * 1024)),
        response("201 Created", "", &good),
        response("401 Unauthorized", "", "{\"error\":\"invalid_client\"}"),
        response("500 Oops", "", &good),
        redirect,
        "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"active\":true".to_owned(),
        "not even HTTP".to_owned(),
    ] {
        issuer.answer_at("/ask", answer);
        refused(&server, &native("token"), 503, "provider-unavailable");
    }
    issuer.answer_at("/ask", response("200 OK", "", &good));
    server.open(native("token"));
}

#[test]
fn attack_040_an_answer_that_comes_too_slowly() {
    let (server, issuer) = told("");
    issuer.answer_at(
        "/ask",
        response("200 OK", "", &whole(&issuer.url()).to_string()),
    );
    issuer.hold();
    let mut waiting: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for connection in &mut waiting {
        connection.send(native("token").text().as_bytes());
    }
    issuer.wait_for(1);
    // Whoever needs no answer does not wait.
    server.echo();
    for mut connection in waiting {
        assert_eq!(connection.response().status, 503);
    }
    server.refused("provider-unavailable");
    assert_eq!(issuer.asked(), 1, "one question for all of them");
    issuer.release();
}

#[test]
fn a_token_that_becomes_somebody_elses_ends_its_sockets() {
    for (name, value) in [("sub", "bob"), ("jti", "j2"), ("aud", "other")] {
        let (server, issuer) = told_with("", AGAIN);
        let mut answer = whole(&issuer.url());
        answer["jti"] = json!("j1");
        issuer.answer_at("/ask", response("200 OK", "", &answer.to_string()));
        let mut socket = server.open(native("token"));
        answer[name] = json!(value);
        issuer.answer_at("/ask", response("200 OK", "", &answer.to_string()));
        socket.closes(3000, "revoked");
    }
}

#[test]
fn a_token_without_an_end_counts_only_while_its_issuer_is_asked_again() {
    let endless = |url: &str| {
        let mut answer = whole(url);
        answer.as_object_mut().unwrap().remove("exp");
        response("200 OK", "", &answer.to_string())
    };
    let (server, issuer) = told_with("", AGAIN);
    issuer.answer_at("/ask", endless(&issuer.url()));
    let mut socket = server.open(native("token"));
    issuer.answer_at("/ask", response("200 OK", "", "{\"active\":false}"));
    socket.closes(3000, "revoked");
    let (server, issuer) = told("");
    issuer.answer_at("/ask", endless(&issuer.url()));
    refused(&server, &native("token"), 401, "token-claims");
}

crate::harness::over_http2![
    attack_029_opaque_tokens_that_do_not_hold,
    attack_078_a_token_taken_back_at_the_provider_ends_its_sockets_and_tickets,
];
