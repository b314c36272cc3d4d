//! Rights that go while what was asked by them is not answered.

use serde_json::{Value, json};

use crate::{
    backend::{self, TOKEN},
    harness::{Issuer, KeyServer, Server, Setup, Ws, now, secret},
};

const LOBBY: &str = "chat/lobby";

/// Calls in one message, answered together when all of them are.
fn batch(calls: &[(&str, Value)]) -> Value {
    let calls = calls.iter().enumerate();
    let call = |(id, (method, params)): (usize, &(&str, Value))| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    calls.map(call).collect()
}

/// What is read of the channel at once, and answered with what waits.
fn reads() -> [(&'static str, Value); 3] {
    ["subscribe", "history", "presence"].map(|method| (method, json!({ "channel": LOBBY })))
}

/// It is told that the right went, and nothing of the channel behind that. Before, it may hear that it is there itself:
/// whether it does, is a question of time.
fn told_of_nothing(ws: &mut Ws) -> Value {
    let mut lost = ws.json();
    if lost["method"] == "joined" {
        lost = ws.json();
    }
    assert_eq!(lost["method"], "revoked", "{lost}");
    assert_eq!(
        lost["params"],
        json!({ "channel": LOBBY, "reason": "rights" })
    );
    let answers = ws.json();
    for id in 0..3 {
        let answer = answers.as_array().unwrap().iter().find(|it| it["id"] == id);
        assert_eq!(answer.unwrap()["error"]["code"], -32001, "{answers}");
    }
    ws.ok("ping", json!({}));
    answers
}

/// With something in the channel that is kept, and said who is there.
fn filled(server: &Server) {
    let mut bob = server.socket("bob");
    bob.ok("publish", json!({ "channel": LOBBY, "data": "secret" }));
}

fn setup() -> Setup {
    let mut setup = Setup::new();
    let kept = "history = { size = 100, ttl = \"1h\" }\n";
    let told = format!("{kept}last_value = true\npresence = {{}}\n");
    setup.rest = setup.rest.replacen(kept, &told, 1);
    setup
}

#[test]
fn attack_074_what_is_answered_with_a_refresh_is_answered_by_the_rights_that_it_leaves() {
    let server = setup().start();
    filled(&server);
    let mut alice = server.socket("alice");
    let weaker = server.issuer.token("alice").claim("rooms", json!([]));
    let mut calls = reads().to_vec();
    calls.push(("refresh", json!({ "token": weaker.mint() })));
    alice.text(&batch(&calls).to_string());
    let answers = told_of_nothing(&mut alice);
    assert!(answers.to_string().contains("expires_at"), "{answers}");
}

#[test]
fn attack_074_nothing_is_answered_behind_the_loss_of_a_right_however_long_the_answer_waits() {
    let mut setup = setup();
    let (keys, grants) = (KeyServer::start(&setup), Issuer::new("https://app.test"));
    setup.issuers += &format!(
        "[[issuer]]\nissuer = \"https://app.test\"\nsigns = [\"grants\"]\naudience = \"wardwire\"\n\
         jwks_url = \"{}/jwks\"\nca = \"ca.pem\"\n",
        keys.url()
    );
    let server = setup.start();
    filled(&server);
    let mut alice = server.socket("alice");
    let before = keys.asked();
    keys.hold();
    let grant = granted(&grants, json!({}));
    let mut calls = reads().to_vec();
    calls.push((
        "subscribe",
        json!({ "channel": "chat/vip", "grant": grant }),
    ));
    alice.text(&batch(&calls).to_string());
    keys.wait_for(before + 1);
    server.edit("contains = \"{room}\"", "contains = \"none\"");
    server.reloaded();
    keys.release();
    told_of_nothing(&mut alice);
}

/// A grant that says this, of which only who judges it knows whether it holds.
fn granted(by: &Issuer, channels: Value) -> String {
    let header = json!({ "alg": "ES256", "typ": "wardwire-grant+jwt", "kid": "k1" });
    let claims = json!({
        "iss": by.name, "aud": "wardwire", "sub": "alice", "iat": now(), "exp": now() + 600, "jti": "g1",
        "channels": channels,
    });
    by.sign(&header.to_string(), &claims.to_string())
}

#[test]
fn attack_078_nothing_that_is_said_behind_a_revocation_is_delivered_by_a_grant_that_it_took_back() {
    let mut setup = Setup::new();
    let grants = Issuer::new("https://app.test");
    std::fs::write(setup.folder.join("app.json"), grants.jwks().to_string()).unwrap();
    secret(&setup.folder.join("backend.token"), TOKEN);
    setup.issuers += "[[issuer]]\nissuer = \"https://app.test\"\nsigns = [\"grants\"]\naudience = \"wardwire\"\n\
        jwks_file = \"app.json\"\n";
    setup = setup.server("threads = 1");
    setup.rest += "[backend]\ntoken_files = [\"backend.token\"]\n\
        [[channel]]\nname = \"room/{id}\"\nsubscribe = \"granted\"\npublish = \"server\"\n";
    let server = setup.start();
    let grant = granted(&grants, json!({ "room/1": ["subscribe"] }));
    let mut alice = server.socket("alice");
    alice.ok("subscribe", json!({ "channel": "room/1", "grant": grant }));
    let said = |data: &str| ("publish", json!({ "channel": "room/1", "data": data }));
    let revoked = json!({ "issuer": "https://app.test", "token": "g1" });
    let calls = [said("before"), ("revoke", revoked), said("behind")];
    let batch = batch(&calls).to_string();
    let answer = backend::ask(&server, &backend::shown(TOKEN), &batch);
    assert!(!answer.body.contains("error"), "{answer:?}");
    assert_eq!(alice.json()["params"]["data"], "before");
    let lost = json!({ "channel": "room/1", "reason": "rights" });
    let told = alice.json();
    assert_eq!(
        (&told["method"], &told["params"]),
        (&json!("revoked"), &lost)
    );
    let mut aside = Vec::new();
    alice.call_aside("ping", json!({}), &mut aside);
    assert_eq!(aside, [] as [Value; 0]);
}

crate::harness::over_http2![
    attack_074_what_is_answered_with_a_refresh_is_answered_by_the_rights_that_it_leaves,
];
