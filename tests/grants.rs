//! Signed grants: what an application lets one user do in one channel for a while.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::harness::{Handshake, Issuer, KeyServer, Server, Setup, Ws, now};

const ROOM: &str = "room/1";
const GRANTED: &str = r#"
[[channel]]
name = "room/{id}"
subscribe = "granted"
publish = "granted"
history = { size = 10, ttl = "1h", read = "granted" }
presence = { see = "granted" }
[[channel]]
name = "either/{id}"
subscribe = { any = ["granted", { claim = "rooms", contains = "{id}" }] }
[[route]]
path = "/open"
anonymous = true
native_clients = true
"#;

const TRUST: &str = r#"
[[issuer]]
issuer = "https://app.test"
signs = ["grants"]
audience = "wardwire"
jwks_file = "app.json"
"#;

/// A server, and the application that may grant there.
struct Application {
    server: Server,
    grants: Issuer,
}

impl Application {
    fn start() -> Self {
        Self::of(Setup::new(), TRUST)
    }

    fn of(mut setup: Setup, trust: &str) -> Self {
        let grants = Issuer::new("https://app.test");
        std::fs::write(setup.folder.join("app.json"), grants.jwks().to_string()).unwrap();
        setup.issuers += trust;
        setup.rest += GRANTED;
        Self {
            server: setup.start(),
            grants,
        }
    }

    fn grant(&self, channels: Value) -> Grant<'_> {
        let claims = json!({
            "iss": self.grants.name, "aud": "wardwire", "sub": "alice", "iat": now(),
            "exp": now() + 600, "jti": "g1", "channels": channels,
        });
        Grant {
            by: &self.grants,
            header: json!({ "alg": "ES256", "typ": "wardwire-grant+jwt", "kid": "k1" }),
            claims,
        }
    }

    fn all_of(&self, channel: &str) -> Grant<'_> {
        self.grant(json!({ channel: ["subscribe", "publish", "history", "presence"] }))
    }

    /// What the server says that ends grants and tokens.
    fn revoke(&self, what: Value) {
        let told = self.server.admin("POST", "/revocations", &what.to_string());
        assert_eq!(told.status, 200, "{}", told.body);
    }
}

struct Grant<'a> {
    by: &'a Issuer,
    header: Value,
    claims: Value,
}

impl Grant<'_> {
    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn mint(&self) -> String {
        let (header, claims) = (self.header.to_string(), self.claims.to_string());
        self.by.sign(&header, &claims)
    }
}

fn shown(ws: &mut Ws, channel: &str, grant: &str) -> Value {
    ws.call("subscribe", json!({ "channel": channel, "grant": grant }))
}

/// The next notification of this kind. Whoever sees who is there is told of it at any time.
fn told(ws: &mut Ws, method: &str) -> Value {
    loop {
        let message = ws.json();
        if message["method"] == method {
            return message;
        }
    }
}

fn revoked(message: &Value, channel: &str, reason: &str) {
    let told = json!({ "channel": channel, "reason": reason });
    assert_eq!(
        (&message["method"], &message["params"]),
        (&json!("revoked"), &told)
    );
}

#[test]
fn a_grant_gives_its_user_what_it_says_in_its_channel() {
    let app = Application::start();
    let mut alice = app.server.socket("alice");
    alice.fails("subscribe", json!({ "channel": ROOM }), -32001);
    // Who may not follow by it has nothing of it.
    let speaks = app.grant(json!({ ROOM: ["publish"] })).mint();
    assert_eq!(shown(&mut alice, ROOM, &speaks)["error"]["code"], -32001);
    alice.fails("publish", json!({ "channel": ROOM, "data": 1 }), -32001);
    let listens = app.grant(json!({ ROOM: ["subscribe"] })).mint();
    let answer = shown(&mut alice, ROOM, &listens);
    assert_eq!(answer["result"]["channel"], ROOM, "{answer}");
    for method in ["history", "presence"] {
        alice.fails(method, json!({ "channel": ROOM }), -32001);
    }
    alice.fails("publish", json!({ "channel": ROOM, "data": 1 }), -32001);
    alice.fails(
        "subscribe",
        json!({ "channel": ROOM, "grant": listens }),
        -32006,
    );
    alice.ok("unsubscribe", json!({ "channel": ROOM }));
    alice.fails("subscribe", json!({ "channel": ROOM }), -32001);

    let all = app.all_of(ROOM).mint();
    assert!(shown(&mut alice, ROOM, &all)["error"].is_null());
    alice.ok("publish", json!({ "channel": ROOM, "data": "hello" }));
    assert_eq!(told(&mut alice, "publication")["params"]["data"], "hello");
    let page = alice.ok("history", json!({ "channel": ROOM }));
    assert_eq!(page["publications"][0]["data"], "hello");
    assert_eq!(alice.ok("presence", json!({ "channel": ROOM }))["count"], 1);
    // Only on this socket.
    let mut other = app.server.socket("alice");
    other.fails("subscribe", json!({ "channel": ROOM }), -32001);
    other.fails("publish", json!({ "channel": ROOM, "data": 1 }), -32001);
}

#[test]
fn attack_072_a_grant_of_another_user_or_channel() {
    let app = Application::start();
    let mut mallory = app.server.socket("mallory");
    let stolen = app.all_of(ROOM).mint();
    let refusal = shown(&mut mallory, ROOM, &stolen)["error"].clone();
    let without = mallory.call("subscribe", json!({ "channel": ROOM }));
    assert_eq!(refusal, without["error"], "no word of why");
    app.server.refused("token-claims");
    mallory.fails("publish", json!({ "channel": ROOM, "data": 1 }), -32001);

    let mut alice = app.server.socket("alice");
    for channel in ["room/2", "room/1/x", "room/11", "either/vip", "chat/vip"] {
        let answer = shown(&mut alice, channel, &stolen);
        assert_eq!(answer["error"]["code"], -32001, "{channel} {answer}");
    }
    // Nor does it open what no rule gives to those with a grant.
    let closed = app.all_of("chat/vip").mint();
    assert_eq!(
        shown(&mut alice, "chat/vip", &closed)["error"]["code"],
        -32001
    );
    alice.fails(
        "publish",
        json!({ "channel": "chat/vip", "data": 1 }),
        -32001,
    );
    // A right that is there anyway does not make up for a grant that does not hold.
    let answer = shown(&mut alice, "either/lobby", &stolen);
    assert_eq!(answer["error"]["code"], -32001, "{answer}");
    alice.ok("subscribe", json!({ "channel": "either/lobby" }));
    let mut anonymous = app.server.open(Handshake::new("/open"));
    let answer = shown(&mut anonymous, ROOM, &stolen);
    assert_eq!(answer["error"]["code"], -32001, "{answer}");
}

#[test]
fn attack_072_a_grant_that_is_forged_bent_or_for_another_tenant() {
    let app = Application::start();
    let server = &app.server;
    let forger = Issuer::new("https://app.test");
    let good = || app.all_of(ROOM);
    let mut forged = good();
    forged.by = &forger;
    let users = Grant {
        by: &server.issuer,
        ..good().claim("iss", json!(server.issuer.name))
    };
    let mut bad: Vec<String> = [
        forged,
        users,
        good().header("alg", json!("none")),
        good().header("alg", json!("HS256")),
        good().header("typ", json!("at+jwt")),
        good().header("typ", json!("JWT")),
        good().header("crit", json!(["exp"])),
        good().claim("aud", json!("another-tenant")),
        good().claim("iss", json!("https://other.test")),
        good().claim("exp", json!(now() - 1)),
        good().claim("exp", json!(now() + 7200)),
        good().claim("iat", json!(now() + 60)),
        good().claim("sub", json!(["alice", "mallory"])),
        good().claim("channels", Value::Null),
        good().claim("channels", json!({})),
        good().claim("channels", json!({ ROOM: ["subscribe"], "room/2": [] })),
        good().claim("channels", json!({ "room/*": ["subscribe"] })),
        good().claim("channels", json!({ "room/{id}": ["subscribe"] })),
        good().claim("channels", json!({ ROOM: ["subscribe", "admin"] })),
        good().claim("channels", json!({ ROOM: [] })),
        good().claim("channels", json!([ROOM])),
        good().claim("cnf", json!({ "jkt": "x" })),
    ]
    .iter()
    .map(Grant::mint)
    .collect();
    bad.push(server.issuer.token("alice").mint());
    bad.push(String::new());
    bad.push("a.b.c".into());
    bad.push("x".repeat(9000));
    // More of them on one socket would be taken for an attack.
    for some in bad.chunks(20) {
        let mut alice = server.socket("alice");
        for grant in some {
            let answer = shown(&mut alice, ROOM, grant);
            assert_eq!(answer["error"]["code"], -32001, "{answer} {grant}");
            assert_eq!(answer["error"]["data"], json!({ "word": "forbidden" }));
        }
        assert!(shown(&mut alice, ROOM, &good().mint())["error"].is_null());
    }
    // And none is a token.
    let granted = good().mint();
    let mut page = server.connect();
    let handshake = Handshake::new("/native").bearer(&granted);
    page.send(handshake.text().as_bytes());
    assert_eq!(page.response().status, 401);
    server.assert_unlogged(&[&granted]);
}

#[test]
fn attack_073_recovery_and_publishing_after_the_grant_has_ended() {
    let app = Application::start();
    let mut alice = app.server.socket("alice");
    let brief = app.all_of(ROOM).claim("exp", json!(now() + 6)).mint();
    let begun = shown(&mut alice, ROOM, &brief)["result"].clone();
    alice.ok("publish", json!({ "channel": ROOM, "data": 1 }));
    assert_eq!(told(&mut alice, "publication")["params"]["data"], 1);
    revoked(&told(&mut alice, "revoked"), ROOM, "expired");
    alice.fails("publish", json!({ "channel": ROOM, "data": 2 }), -32001);
    for method in ["history", "presence"] {
        alice.fails(method, json!({ "channel": ROOM }), -32001);
    }
    let since = json!({ "channel": ROOM, "since": begun["position"] });
    alice.fails("subscribe", since, -32001);
    let again = json!({ "channel": ROOM, "since": begun["position"], "grant": brief });
    alice.fails("subscribe", again, -32001);
    // A fresh one takes it up where it was.
    let fresh = app.all_of(ROOM).mint();
    let again = json!({ "channel": ROOM, "since": begun["position"], "grant": fresh });
    let back = alice.ok("subscribe", again);
    assert_eq!(back["recovered"], true);
    assert_eq!(back["publications"][0]["data"], 1);
    let event = app.server.audited(|it| it["event"] == "right-lost");
    assert_eq!(
        (&event["reason"], &event["detail"], &event["subject"]),
        (&json!("expired"), &json!(ROOM), &json!("alice"))
    );
}

#[test]
fn attack_074_nothing_is_delivered_after_a_grant_has_ended() {
    let setup = Setup::new().limits("messages_per_second = 0");
    let app = Application::of(setup, TRUST);
    let mut alice = app.server.socket("alice");
    let end = now() + 4;
    let brief = app.grant(json!({ ROOM: ["subscribe"] }));
    let brief = brief.claim("exp", json!(end)).mint();
    shown(&mut alice, ROOM, &brief);
    alice.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let mut bob = app.server.socket("bob");
    let all = app.all_of(ROOM).claim("sub", json!("bob")).mint();
    shown(&mut bob, ROOM, &all);
    // Both channels all the time, so that what one turn brings is of both; and it is read as it comes.
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        while read
            .last()
            .is_none_or(|it: &Value| it["params"]["data"] != "last")
        {
            read.push(alice.json());
        }
        read
    });
    let mut sent = 1;
    while now() <= end {
        sent += 1;
        for channel in [ROOM, "chat/lobby"] {
            bob.ok("publish", json!({ "channel": channel, "data": now() }));
        }
    }
    bob.ok(
        "publish",
        json!({ "channel": "chat/lobby", "data": "last" }),
    );
    let (mut ended, mut rooms, mut others) = (false, 0, 0);
    for message in reader.join().unwrap() {
        let params = &message["params"];
        if message["method"] == "revoked" {
            revoked(&message, ROOM, "expired");
            ended = true;
        } else if params["channel"] == ROOM {
            assert!(!ended, "behind the end");
            assert!(params["data"].as_u64().unwrap() < end, "{message}");
            rooms += 1;
        } else if message["method"] == "publication" {
            others += 1;
        }
    }
    assert!(ended && rooms > 0);
    assert_eq!(others, sent, "nothing of another channel goes with it");
}

#[test]
fn a_refresh_keeps_what_was_shown_and_a_weaker_token_takes_nothing_of_it() {
    let app = Application::start();
    let mut alice = app.server.socket("alice");
    shown(&mut alice, ROOM, &app.all_of(ROOM).mint());
    alice.ok("subscribe", json!({ "channel": "either/lobby" }));
    let weaker = app.server.issuer.token("alice").claim("rooms", json!([]));
    let mut aside = Vec::new();
    alice.call_aside("refresh", json!({ "token": weaker.mint() }), &mut aside);
    let revocations: Vec<_> = aside
        .iter()
        .filter(|it| it["method"] == "revoked")
        .collect();
    let [only] = &revocations[..] else {
        panic!("{aside:?}")
    };
    revoked(only, "either/lobby", "rights");
    alice.ok("publish", json!({ "channel": ROOM, "data": 1 }));
}

#[test]
fn a_grant_is_taken_back_by_its_name_by_its_user_and_with_all_of_its_issuer() {
    for what in [
        json!({ "issuer": "https://app.test", "token": "g1" }),
        json!({ "issuer": "https://app.test", "subject": "alice" }),
        json!({ "issuer": "https://app.test" }),
    ] {
        let app = Application::start();
        let mut alice = app.server.socket("alice");
        let grant = app.all_of(ROOM).mint();
        shown(&mut alice, ROOM, &grant);
        alice.ok("subscribe", json!({ "channel": "chat/lobby" }));
        app.revoke(json!({ "issuer": "https://app.test", "token": "g2" }));
        alice.ok("publish", json!({ "channel": ROOM, "data": "still" }));
        app.revoke(what.clone());
        revoked(&told(&mut alice, "revoked"), ROOM, "rights");
        assert_eq!(shown(&mut alice, ROOM, &grant)["error"]["code"], -32001);
        app.server.refused("revoked");
        alice.ok("unsubscribe", json!({ "channel": "chat/lobby" }));
    }
}

/// More sockets than one turn of a shard judges.
const CROWD: usize = 600;

/// Told, however a test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes back what nobody has, again and again, and waits for no answer.
fn revoke_without_end(server: &Server, over: &AtomicBool) {
    let token = format!("Authorization: Bearer {}\r\n", server.admin_token);
    let what = json!({ "issuer": "https://app.test", "token": "g2" }).to_string();
    while !over.load(Ordering::Relaxed) {
        let asked = server.admin_asked("POST", "/revocations", &token, &what);
        // Who is answered came behind it, so that it was heard; and no more of them are held than are taken.
        assert_eq!(server.admin("GET", "/health/live", "").status, 200);
        drop(asked);
    }
}

#[test]
fn attack_078_revocations_without_end_hold_back_neither_one_nor_a_reload() {
    let limits = "connections_per_ip = 10000\nmessages_per_second = 0\n";
    let setup = Setup::new().server("threads = 1\nwatch = false");
    let app = Application::of(setup.limits(limits), TRUST);
    let server = &app.server;
    // The first of all, so that whoever begins anew with the last does not come to her.
    let mut alice = server.socket("alice");
    assert!(shown(&mut alice, ROOM, &app.all_of(ROOM).mint())["error"].is_null());
    alice.ok("subscribe", json!({ "channel": "either/lobby" }));
    let busy = json!({ "channel": "free/busy" });
    alice.ok("subscribe", busy.clone());
    let crowd = (0..CROWD).map(|number| {
        let mut ws = server.socket(&format!("follower-{number}"));
        ws.ok("subscribe", busy.clone());
        ws
    });
    let crowd: Vec<Ws> = crowd.collect();
    let mut publisher = server.socket("publisher");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                publisher.ok("publish", json!({ "channel": "free/busy", "data": 1 }));
            }
        });
        for _ in 0..2 {
            scope.spawn(|| revoke_without_end(server, &over));
        }
        // What holds once it is answered has been told before anything that is asked then.
        let mut lost = |channel: &str| {
            let mut aside = Vec::new();
            alice.call_aside("ping", json!({}), &mut aside);
            aside.retain(|it| it["method"] == "revoked");
            let [only] = &aside[..] else {
                panic!("{aside:?}")
            };
            revoked(only, channel, "rights");
        };
        app.revoke(json!({ "issuer": "https://app.test", "token": "g1" }));
        lost(ROOM);
        server.edit("contains = \"{id}\"", "contains = \"none\"");
        server.reloaded();
        lost("either/lobby");
    });
    drop(crowd);
}

#[test]
fn a_grant_goes_with_what_was_given_to_its_user_before() {
    let app = Application::start();
    let grant = app.all_of(ROOM).claim("iat", json!(now() - 60)).mint();
    let before =
        json!({ "issuer": "https://id.test", "subject": "alice", "issued_before": now() - 30 });
    app.revoke(before);
    let mut alice = app.server.socket("alice");
    assert_eq!(shown(&mut alice, ROOM, &grant)["error"]["code"], -32001);
    app.server.refused("revoked");
    assert!(shown(&mut alice, ROOM, &app.all_of(ROOM).mint())["error"].is_null());
}

#[test]
fn what_was_granted_ends_with_the_trust_in_who_granted_it() {
    let other = TRUST.replace("\"wardwire\"", "\"other\"");
    for instead in [other.as_str(), ""] {
        let app = Application::start();
        let mut alice = app.server.socket("alice");
        shown(&mut alice, ROOM, &app.all_of(ROOM).mint());
        app.server.edit(TRUST, instead);
        app.server.reloaded();
        revoked(&told(&mut alice, "revoked"), ROOM, "rights");
        let answer = shown(&mut alice, ROOM, &app.all_of(ROOM).mint());
        assert_eq!(answer["error"]["code"], -32001);
    }
}

#[test]
fn a_grant_that_cannot_be_judged_now_may_be_shown_again() {
    let setup = Setup::new();
    let keys = KeyServer::start(&setup);
    let fetched = format!("jwks_url = \"{}/jwks\"\nca = \"ca.pem\"", keys.url());
    let trust = TRUST.replace("jwks_file = \"app.json\"", &fetched);
    let app = Application::of(setup, &trust);
    let answer = shown(
        &mut app.server.socket("alice"),
        ROOM,
        &app.all_of(ROOM).mint(),
    );
    assert_eq!(answer["error"]["code"], -32002, "{answer}");
    assert!(answer["error"]["data"]["retryAfter"].as_f64() > Some(0.0));
    app.server.refused("keys-unavailable");
}

#[test]
fn who_shows_what_does_not_hold_again_and_again_is_ended() {
    let app = Application::start();
    // Somebody else's, and one by which nobody may follow.
    let stolen = app.all_of(ROOM).mint();
    let speaks = app.grant(json!({ ROOM: ["publish"] }));
    let speaks = speaks.claim("sub", json!("mallory")).mint();
    for grant in [stolen, speaks] {
        let mut mallory = app.server.socket("mallory");
        for _ in 0..32 {
            assert_eq!(shown(&mut mallory, ROOM, &grant)["error"]["code"], -32001);
        }
        let params = json!({ "channel": ROOM, "grant": grant });
        let call = json!({ "jsonrpc": "2.0", "id": 0, "method": "subscribe", "params": params });
        mallory.text(&call.to_string());
        mallory.closes(1008, "errors");
    }
}

crate::harness::over_http2![
    a_grant_gives_its_user_what_it_says_in_its_channel,
    attack_072_a_grant_of_another_user_or_channel,
    attack_072_a_grant_that_is_forged_bent_or_for_another_tenant,
    attack_073_recovery_and_publishing_after_the_grant_has_ended,
    attack_074_nothing_is_delivered_after_a_grant_has_ended,
];
