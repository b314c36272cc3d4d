//! Rights that go while what was asked by them is not answered.

use serde_json::{Value, json};

use crate::harness::{Issuer, KeyServer, Server, Setup, Ws};

const LOBBY: &str = "chat/lobby";

/// Calls in one message, answered together when all of them are.
fn ask(ws: &mut Ws, calls: &[(&str, Value)]) {
    let calls = calls.iter().enumerate();
    let calls: Vec<_> = calls
        .map(|(id, (method, params))| {
            json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
        })
        .collect();
    ws.text(&json!(calls).to_string());
}

/// What is read of the channel at once, and answered with what waits.
fn reads() -> [(&'static str, Value); 3] {
    ["subscribe", "history", "presence"].map(|method| (method, json!({ "channel": LOBBY })))
}

/// It is told that the right went, and nothing of the channel behind that.
fn told_of_nothing(ws: &mut Ws) -> Value {
    let lost = ws.json();
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
    ask(&mut alice, &calls);
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
    let header = json!({ "alg": "ES256", "typ": "wardwire-grant+jwt", "kid": "k1" });
    let claims = json!({ "iss": "https://app.test" });
    let grant = grants.sign(&header.to_string(), &claims.to_string());
    let mut calls = reads().to_vec();
    calls.push((
        "subscribe",
        json!({ "channel": "chat/vip", "grant": grant }),
    ));
    ask(&mut alice, &calls);
    keys.wait_for(before + 1);
    server.edit("contains = \"{room}\"", "contains = \"none\"");
    server.reloaded();
    keys.release();
    told_of_nothing(&mut alice);
}

crate::harness::over_http2![
    attack_074_what_is_answered_with_a_refresh_is_answered_by_the_rights_that_it_leaves,
];
