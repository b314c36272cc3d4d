//! Publishing once, however often it is said.

use serde_json::{Value, json};

use crate::harness::{Handshake, Server, Setup, Ws};

const LOBBY: &str = "chat/lobby";

fn publish(ws: &mut Ws, id: &str, data: impl Into<Value>) -> Value {
    let params = json!({ "channel": LOBBY, "id": id, "data": data.into() });
    ws.ok("publish", params)
}

#[test]
fn who_repeats_a_publication_on_another_socket_publishes_once() {
    let server = Server::start();
    let mut reader = server.socket("carol");
    reader.ok("subscribe", json!({ "channel": LOBBY }));
    let first = publish(&mut server.socket("alice"), "1", "hello");
    assert_eq!(first.get("duplicate"), None);
    let again = publish(&mut server.socket("alice"), "1", "something else");
    assert_eq!(
        again,
        json!({ "position": first["position"], "duplicate": true })
    );
    let other = publish(&mut server.socket("bob"), "1", "hello yourself");
    assert_eq!(other.get("duplicate"), None, "another's id");
    for (data, from) in [("hello", "alice"), ("hello yourself", "bob")] {
        let heard = reader.json();
        let params = &heard["params"];
        assert_eq!(
            (&params["data"], &params["from"], &params["id"]),
            (&json!(data), &json!(from), &json!("1"))
        );
    }
    let page = reader.ok("history", json!({ "channel": LOBBY }));
    let ids: Vec<&Value> = page["publications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(ids, ["1", "1"]);
    let mut aside = Vec::new();
    reader.call_aside("ping", json!({}), &mut aside);
    assert!(aside.is_empty(), "{aside:?}");
}

#[test]
fn what_is_refused_uses_up_no_id() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let bytes = json!({ "channel": LOBBY, "id": "1", "base64": "AAAA" });
    ws.fails("publish", bytes, -32008);
    ws.fails(
        "publish",
        json!({ "channel": "nowhere", "id": "1", "data": 1 }),
        -32001,
    );
    assert_eq!(publish(&mut ws, "1", 1).get("duplicate"), None);
    for not in [json!(""), json!("x".repeat(65)), json!(1), json!(["1"])] {
        let params = json!({ "channel": LOBBY, "id": not, "data": 1 });
        ws.fails("publish", params, -32602);
    }
    assert_eq!(publish(&mut ws, &"x".repeat(64), 1).get("duplicate"), None);
}

#[test]
fn without_a_credential_an_id_is_the_sockets_own() {
    let mut setup = Setup::new();
    setup.rest += "[[route]]\npath = \"/open\"\nanonymous = true\nnative_clients = true\n\
        [[channel]]\nname = \"open\"\nsubscribe = \"anyone\"\npublish = \"anyone\"\n";
    let server = setup.start();
    let [mut one, mut other] = [(); 2].map(|()| server.open(Handshake::new("/open")));
    let params = json!({ "channel": "open", "id": "1", "data": 1 });
    assert_eq!(one.ok("publish", params.clone()).get("duplicate"), None);
    assert_eq!(other.ok("publish", params.clone()).get("duplicate"), None);
    assert_eq!(one.ok("publish", params)["duplicate"], true);
}

crate::harness::over_http2![
    who_repeats_a_publication_on_another_socket_publishes_once,
    what_is_refused_uses_up_no_id,
    without_a_credential_an_id_is_the_sockets_own,
];
