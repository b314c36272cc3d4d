//! What a reload of the configuration changes at once, and what it leaves alone.

use std::fs;

use serde_json::json;

use super::replace;
use crate::harness::{Handshake, ORIGIN, Server, Setup, now, secret};

const OTHER: &str = "https://other.localhost";
/// So that nobody but the test reloads.
const UNWATCHED: &str = "watch = false";

fn plain() -> Server {
    Setup::new().server(UNWATCHED).start()
}

fn both() -> Server {
    let setup = Setup::new().server(UNWATCHED);
    let listed = format!("origins = [\"{ORIGIN}\"");
    let config = setup.config();
    assert!(config.contains(&listed));
    let config = config.replace(&listed, &format!("{listed}, \"{OTHER}\""));
    setup.start_with(&config)
}

fn without_other(server: &Server) {
    server.edit(&format!(", \"{OTHER}\""), "");
}

fn page(server: &Server, subject: &str, origin: &str) -> Handshake {
    let token = server.issuer.token(subject).mint();
    Handshake::new("/live").origin(origin).bearer(&token)
}

#[test]
fn once_a_reload_has_answered_nobody_enters_by_the_rules_before() {
    let server = both();
    let mut stays = server.open(page(&server, "alice", ORIGIN));
    let mut goes = server.open(page(&server, "bob", OTHER));
    without_other(&server);
    let answer = server.reloaded();
    assert_eq!(answer["changed"], json!(["server.origins"]));
    assert_eq!(answer["ended"], json!({ "sockets": 1, "subscriptions": 0 }));
    assert_eq!(server.enters(OTHER), 403);
    goes.closes(3003, "forbidden");
    stays.ok("ping", json!({}));
    assert_eq!(server.enters(ORIGIN), 101);
    let event = server.audited(|event| event["event"] == "reload");
    assert_eq!(event["reason"], "reloaded");
    assert_eq!(event["ended"], 1);
    assert_eq!(event["detail"], "operator: server.origins");
}

#[test]
fn a_ticket_issued_before_a_reload_is_judged_by_the_rules_after_it() {
    let server = both();
    let token = server.issuer.token("alice").mint();
    let ticket = |route: &str| {
        let body = json!({ "route": route }).to_string();
        let request = format!(
            "POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = server.connect();
        connection.send(request.as_bytes());
        let answer = connection.response();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["ticket"].as_str().unwrap().to_owned()
    };
    let status = |path: &str, ticket: &str| {
        let mut connection = server.connect();
        let handshake = Handshake::new(path).origin(ORIGIN).ticket(ticket);
        connection.send(handshake.text().as_bytes());
        connection.response().status
    };
    let (good, no_route, no_issuer) = (ticket("/live"), ticket("/native"), ticket("/live"));
    server.edit("path = \"/native\"", "path = \"/moved\"");
    server.reloaded();
    assert_eq!(status("/live", &good), 101, "its route is there");
    assert_eq!(status("/native", &no_route), 404);
    server.refused("not-found");
    server.edit("audience = \"wardwire\"", "audience = \"another\"");
    server.reloaded();
    let events = server.audit().len();
    assert_eq!(status("/live", &no_issuer), 401);
    server.refused_since(events, "token-audience");
}

#[test]
fn sockets_whose_issuer_or_route_is_gone_end_and_others_stay() {
    let server = plain();
    let mut moved = server.socket("alice");
    let mut live = server.open(page(&server, "bob", ORIGIN));
    server.edit("path = \"/native\"", "path = \"/moved\"");
    assert_eq!(server.reloaded()["ended"]["sockets"], 1);
    moved.closes(3003, "forbidden");
    live.ok("ping", json!({}));
    server.edit(
        "path = \"/live\"",
        "path = \"/live\"\nrequire = { acr = \"mfa\" }",
    );
    assert_eq!(server.reloaded()["ended"]["sockets"], 1);
    live.closes(3000, "revoked");
    let mut anonymous = server.echo();
    server.edit("audience = \"wardwire\"", "audience = \"another\"");
    assert_eq!(server.reloaded()["ended"]["sockets"], 0);
    anonymous.text("still here");
    assert_eq!(anonymous.next().unwrap().payload, b"still here");
    server.edit("anonymous = true\n", "");
    assert_eq!(server.reloaded()["ended"]["sockets"], 1);
    assert_eq!(anonymous.closed(), (3000, "revoked".to_owned()));
}

/// Idle ones are woken to look.
#[test]
fn sockets_whose_sign_in_is_too_old_or_whose_token_is_too_long_by_now_end() {
    let server = plain();
    let begun = now();
    let token = |subject: &str, ago: u64, holds: u64| {
        let token = server.issuer.token(subject);
        let token = token.claim("auth_time", begun - ago);
        token.claim("exp", begun + holds).mint()
    };
    let open = |subject: &str, ago: u64, holds: u64| {
        let token = token(subject, ago, holds);
        server.open(Handshake::new("/live").origin(ORIGIN).bearer(&token))
    };
    let (mut old, mut long, mut stays) = (
        open("alice", 3000, 600),
        open("bob", 0, 7200),
        open("carol", 0, 600),
    );
    server.edit(
        "path = \"/live\"",
        "path = \"/live\"\nrequire = { max_age = \"45m\" }",
    );
    assert_eq!(server.reloaded()["ended"]["sockets"], 1);
    old.closes(3000, "expired");
    let again = json!({ "token": token("bob", 0, 7200) });
    let ends = &long.ok("refresh", again)["expires_at"];
    assert_eq!(*ends, begun + 45 * 60, "by the route that is there now");
    server.edit(
        "audience = \"wardwire\"",
        "audience = \"wardwire\"\nmax_token_lifetime = \"1h\"",
    );
    assert_eq!(server.reloaded()["ended"]["sockets"], 1);
    long.closes(3000, "revoked");
    stays.ok("ping", json!({}));
}

#[test]
fn a_lost_right_to_a_channel_is_lost_on_open_sockets_too() {
    let server = plain();
    let mut alice = server.socket("alice");
    let mut bob = server.socket("bob");
    for channel in ["chat/lobby", "free/a"] {
        alice.ok("subscribe", json!({ "channel": channel }));
        bob.ok("publish", json!({ "channel": channel, "data": "before" }));
        assert_eq!(alice.json()["params"]["data"], "before");
    }
    server.edit(
        "claim = \"rooms\", contains = \"{room}\" }\npublish",
        "claim = \"guests\", contains = \"{room}\" }\npublish",
    );
    let answer = server.reloaded();
    assert_eq!(answer["ended"], json!({ "sockets": 0, "subscriptions": 1 }));
    let told = alice.json();
    assert_eq!(told["method"], "revoked", "{told}");
    let why = json!({ "channel": "chat/lobby", "reason": "rights" });
    assert_eq!(told["params"], why);
    bob.ok(
        "publish",
        json!({ "channel": "chat/lobby", "data": "secret" }),
    );
    bob.ok("publish", json!({ "channel": "free/a", "data": "after" }));
    assert_eq!(
        alice.json()["params"]["data"],
        "after",
        "and nothing before"
    );
    alice.fails("subscribe", json!({ "channel": "chat/lobby" }), -32001);
    server.edit(
        "publish = { claim = \"rooms\"",
        "publish = { claim = \"hosts\"",
    );
    server.reloaded();
    bob.fails(
        "publish",
        json!({ "channel": "chat/lobby", "data": 1 }),
        -32001,
    );
}

#[test]
fn a_history_that_is_no_longer_kept_is_gone() {
    let server = plain();
    let mut alice = server.socket("alice");
    let begin = alice.ok("subscribe", json!({ "channel": "chat/lobby" }));
    alice.ok("publish", json!({ "channel": "chat/lobby", "data": 1 }));
    let since = json!({ "channel": "chat/lobby", "since": begin["position"] });
    server.edit("history = { size = 100, ttl = \"1h\" }\n", "");
    server.reloaded();
    let found = server.socket("bob").ok("subscribe", since);
    assert_eq!(
        (&found["recovered"], &found["publications"]),
        (&json!(false), &json!([]))
    );
}

#[test]
fn a_mistake_changes_nothing_and_is_told_with_its_place_and_its_remedy() {
    let server = both();
    let mut alice = server.open(page(&server, "alice", OTHER));
    without_other(&server);
    server.edit("drain =", "drian =");
    let answer = server.reload();
    assert_eq!(answer.status, 422);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = &answer.json()["problems"][0];
    assert!(
        problem["file"].as_str().unwrap().ends_with("wardwire.toml"),
        "{problem}"
    );
    assert!(problem["line"].as_u64().unwrap() > 1, "{problem}");
    assert!(
        problem["message"].as_str().unwrap().contains("`drian`"),
        "{problem}"
    );
    assert_eq!(problem["remedy"], "Did you mean `drain`?");
    alice.ok("ping", json!({}));
    assert_eq!(
        server.enters(OTHER),
        101,
        "the rules before go on as a whole"
    );
    let event = server.audited(|event| event["event"] == "reload");
    assert_eq!(event["reason"], "refused");
    assert!(
        event["detail"].as_str().unwrap().contains("wardwire.toml:"),
        "{event}"
    );
    assert_eq!(
        server.metric("wardwire_reload_last_success_timestamp_seconds"),
        0
    );
    assert!(server.metric("wardwire_reload_last_failure_timestamp_seconds") > 0);
    server.edit("drian =", "drain =");
    server.reloaded();
    assert_eq!(server.enters(OTHER), 403);
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_taken() {
    let server = both();
    server.edit("drain = \"5s\"", "drain = \"4s\"\nthreads = 1");
    without_other(&server);
    let answer = server.reloaded();
    assert_eq!(answer["changed"], json!(["server.drain", "server.origins"]));
    assert_eq!(answer["needs_restart"], json!(["server.threads"]));
    assert_eq!(server.enters(OTHER), 403);
    let answer = server.reload().json();
    assert_eq!(answer["outcome"], "unchanged");
    assert_eq!(
        answer["needs_restart"],
        json!(["server.threads"]),
        "until it comes"
    );
    server.edit("threads = 1", "");
    assert_eq!(server.reload().json()["needs_restart"], json!([]));
}

#[test]
fn whom_the_server_believes_about_its_clients_is_not_changed_while_it_runs() {
    let server = both();
    without_other(&server);
    server.edit(
        "drain = \"5s\"",
        "proxy_protocol = { from = [\"127.0.0.1/32\"] }",
    );
    let answer = server.reload();
    assert_eq!(answer.status, 422);
    let problem = &answer.json()["problems"][0];
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("server.proxy_protocol"),
        "{problem}"
    );
    assert!(problem["line"].as_u64().is_some(), "{problem}");
    assert_eq!(server.enters(OTHER), 101, "nothing was taken");
}

/// With a history, what was published under a name is told to whoever comes later.
#[test]
fn no_reload_has_users_of_one_issuer_called_as_those_of_another() {
    let another = |issuer: &str, name: &str| {
        format!(
            "[[issuer]]\nissuer = \"{issuer}\"\n{name}audience = \"wardwire\"\njwks_file = \"jwks.json\"\n"
        )
    };
    let mut setup = Setup::new().server(UNWATCHED);
    let (staff, guests) = (
        another("https://id.test", "name = \"staff\"\n"),
        another("https://guests.test", "name = \"guests\"\n"),
    );
    setup.issuers = format!("{staff}{guests}");
    let server = setup.start();
    let mut alice = server.socket("alice");
    let path = server.folder.join("wardwire.toml");
    let refused = |before: &str, after: &str, what: &str| {
        let written = fs::read_to_string(&path).unwrap();
        server.edit(before, after);
        let answer = server.reload();
        assert_eq!(answer.status, 422, "{answer:?}");
        let problem = answer.json()["problems"][0].clone();
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains(what), "{problem}");
        assert!(problem["line"].as_u64().is_some(), "{problem}");
        replace(&path, &written);
    };
    let otherwise = "would be called otherwise";
    refused("name = \"staff\"", "name = \"crew\"", otherwise);
    // Whoever is gone has the name all the same.
    server.edit(&guests, "");
    server.reloaded();
    let thieves = another("https://thieves.test", "name = \"guests\"\n");
    let both = format!("{staff}{thieves}");
    refused(&staff, &both, "could pass for those of https://guests.test");
    refused("name = \"staff\"\n", "", otherwise);
    let nameless = another("https://thieves.test", "");
    refused(&staff, &nameless, "could pass for those of");
    // The same again, and somebody new.
    let new = another("https://new.test", "name = \"new\"\n");
    server.edit(&staff, &format!("{staff}{guests}{new}"));
    assert_eq!(server.reloaded()["changed"], json!(["issuer"]));
    alice.ok("ping", json!({}));
}

#[test]
fn what_was_taken_back_stays_taken_back() {
    let server = both();
    let token = server.issuer.token("alice").mint();
    let taken = json!({ "issuer": "https://id.test", "subject": "alice" }).to_string();
    assert_eq!(server.admin("POST", "/revocations", &taken).status, 200);
    without_other(&server);
    server.reloaded();
    let mut connection = server.connect();
    connection.send(Handshake::new("/native").bearer(&token).text().as_bytes());
    assert_eq!(connection.response().status, 401);
    server.refused("revoked");
}

#[test]
fn a_reload_asks_for_the_operators_token() {
    let server = both();
    without_other(&server);
    assert_eq!(server.admin_raw("POST", "/reload", "", "").status, 401);
    assert_eq!(server.enters(OTHER), 101);
}

#[test]
fn a_changed_key_set_of_an_issuer_holds_at_once() {
    let server = plain();
    let mut alice = server.socket("alice");
    let another = crate::harness::Issuer::new("https://id.test");
    secret(
        &server.folder.join("jwks.json"),
        &another.jwks().to_string(),
    );
    assert_eq!(server.reloaded()["changed"], json!(["issuer"]));
    assert_eq!(server.enters(ORIGIN), 401);
    server.refused("token-signature");
    alice.ok("ping", json!({}));
}

#[test]
fn a_schema_that_is_broken_leaves_the_one_before_in_its_place() {
    let mut setup = Setup::new().server(UNWATCHED);
    let file = setup.folder.join("short.json");
    fs::write(&file, r#"{"maxLength":3}"#).unwrap();
    setup.rest +=
        "[[channel]]\nname = \"short\"\npublish = \"authenticated\"\nschema = \"short.json\"\n";
    let server = setup.start();
    let mut alice = server.socket("alice");
    let long = json!({ "channel": "short", "data": "long" });
    alice.fails("publish", long.clone(), -32008);
    fs::write(&file, "{\n\"maxlength\": 30}").unwrap();
    let answer = server.reload();
    assert_eq!(answer.status, 422);
    let message = answer.json()["problems"][0]["message"].to_string();
    assert!(message.contains("short.json:2"), "{message}");
    assert!(message.contains("/maxlength"), "{message}");
    alice.fails("publish", long.clone(), -32008);
    fs::write(&file, r#"{"maxLength":30}"#).unwrap();
    assert_eq!(server.reloaded()["changed"], json!(["channel"]));
    alice.ok("publish", long);
}
