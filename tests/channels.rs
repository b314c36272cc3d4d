//! What users of `wardwire.v1` rely on.

use serde_json::{Value, json};

use crate::harness::{Handshake, Issuer, ORIGIN, Server, Setup};

const LOBBY: &str = "chat/lobby";

fn publish(ws: &mut crate::harness::Ws, data: impl Into<Value>) -> String {
    let answer = ws.ok("publish", json!({ "channel": LOBBY, "data": data.into() }));
    answer["position"].as_str().unwrap().to_owned()
}

#[test]
fn two_users_talk_both_ways() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    alice.ok("subscribe", json!({ "channel": LOBBY }));
    bob.ok("subscribe", json!({ "channel": LOBBY }));
    let position = publish(&mut alice, "hello");
    let heard = bob.json();
    assert_eq!(heard["method"], "publication");
    assert_eq!(
        heard["params"],
        json!({ "channel": LOBBY, "data": "hello", "position": position, "from": "alice" })
    );
    assert_eq!(alice.json(), heard, "a follower hears its own words too");
    publish(&mut bob, "hello yourself");
    assert_eq!(alice.json()["params"]["from"], "bob");
}

#[test]
fn users_of_two_issuers_never_pass_for_one_another() {
    let mut setup = Setup::new();
    let guests = Issuer::new("https://guests.test");
    std::fs::write(setup.folder.join("guests.json"), guests.jwks().to_string()).unwrap();
    setup.issuers.push_str(
        "name = \"staff\"\n[[issuer]]\nissuer = \"https://guests.test\"\nname = \"guests\"\n\
         audience = \"wardwire\"\njwks_file = \"guests.json\"\n",
    );
    setup.rest += "[[channel]]\nname = \"inbox/{user}\"\nsubscribe = { claim = \"sub\", equals = \"{user}\" }\n";
    let server = setup.start();
    let open = |token: String| server.open(Handshake::new("/native").bearer(&token));
    let mut alice = open(server.issuer.token("alice").mint());
    alice.ok("subscribe", json!({ "channel": LOBBY }));
    let mut page = server.connect();
    let token = server.issuer.token("alice").mint();
    page.send(
        format!("GET /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
            .as_bytes(),
    );
    let session: Value = serde_json::from_str(&page.response().body).unwrap();
    assert_eq!(session["subject"], "alice");
    assert_eq!(session["handle"], "staff:alice", "as others see it");
    // Each as the guests' issuer may call anybody.
    for subject in ["alice", "staff:alice"] {
        let mut other = open(guests.token(subject).mint());
        publish(&mut other, "it is me");
        assert_eq!(alice.json()["params"]["from"], format!("guests:{subject}"));
        for inbox in ["inbox/alice", "inbox/staff:alice"] {
            other.fails("subscribe", json!({ "channel": inbox }), -32001);
        }
        let own = format!("inbox/guests:{subject}");
        other.ok("subscribe", json!({ "channel": own }));
    }
    alice.ok("subscribe", json!({ "channel": "inbox/staff:alice" }));
    alice.fails("subscribe", json!({ "channel": "inbox/alice" }), -32001);
    publish(&mut alice, "and this is me");
    assert_eq!(alice.json()["params"]["from"], "staff:alice");
}

#[test]
fn who_returns_gets_what_was_missed_or_is_told_that_it_cannot() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    let first = publish(&mut bob, 1);
    publish(&mut bob, 2);
    let last = publish(&mut bob, 3);
    let mut alice = server.socket("alice");
    let back = alice.ok("subscribe", json!({ "channel": LOBBY, "since": first }));
    assert_eq!(back["recovered"], true);
    assert_eq!(back["position"], last);
    let data: Vec<&Value> = back["publications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["data"])
        .collect();
    assert_eq!(data, [2, 3]);
    alice.ok("unsubscribe", json!({ "channel": LOBBY }));
    let lost = alice.ok("subscribe", json!({ "channel": LOBBY, "since": "1:1" }));
    assert_eq!(
        (&lost["recovered"], &lost["publications"]),
        (&json!(false), &json!([]))
    );
}

#[test]
fn all_followers_see_two_publishers_in_one_order() {
    const EACH: usize = 40;
    let server = Server::start();
    let mut followers = [server.socket("carol"), server.socket("dave")];
    for follower in &mut followers {
        follower.ok("subscribe", json!({ "channel": LOBBY }));
    }
    std::thread::scope(|scope| {
        for name in ["alice", "bob"] {
            let server = &server;
            scope.spawn(move || {
                let mut ws = server.socket(name);
                for n in 0..EACH {
                    publish(&mut ws, json!([name, n]));
                }
            });
        }
    });
    let [one, two] = followers.map(|mut follower| {
        let heard: Vec<Value> = (0..2 * EACH)
            .map(|_| follower.json()["params"].clone())
            .collect();
        heard
    });
    assert_eq!(one, two);
    let offset = |publication: &Value| -> u64 {
        let position = publication["position"].as_str().unwrap();
        position.split_once(':').unwrap().1.parse().unwrap()
    };
    assert!(
        one.windows(2)
            .all(|pair| offset(&pair[1]) == offset(&pair[0]) + 1),
        "without a gap"
    );
    for name in ["alice", "bob"] {
        let own: Vec<&Value> = one
            .iter()
            .filter(|it| it["from"] == name)
            .map(|it| &it["data"][1])
            .collect();
        assert_eq!(
            own,
            (0..EACH)
                .map(|n| json!(n))
                .collect::<Vec<_>>()
                .iter()
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn nothing_is_lost_between_two_sockets() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    let mut alice = server.socket("alice");
    let begun = alice.ok("subscribe", json!({ "channel": LOBBY }))["position"].clone();
    let mut heard = Vec::new();
    let mut since = begun;
    for n in 0..30 {
        publish(&mut bob, n);
        if n % 10 == 5 {
            // The connection breaks off, whatever was under way.
            alice = server.socket("alice");
            let back = alice.ok("subscribe", json!({ "channel": LOBBY, "since": since }));
            assert_eq!(back["recovered"], true);
            for missed in back["publications"].as_array().unwrap() {
                heard.push(missed["data"].clone());
                since = missed["position"].clone();
            }
        } else if n % 10 < 5 {
            let publication = alice.json()["params"].clone();
            heard.push(publication["data"].clone());
            since = publication["position"].clone();
        }
    }
    let back = server
        .socket("alice")
        .ok("subscribe", json!({ "channel": LOBBY, "since": since }));
    heard.extend(
        back["publications"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["data"].clone()),
    );
    assert_eq!(heard, (0..30).map(|n| json!(n)).collect::<Vec<_>>());
}

#[test]
fn unsubscribing_ends_deliveries_and_twice_is_an_error() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    alice.ok("subscribe", json!({ "channel": LOBBY }));
    alice.fails("subscribe", json!({ "channel": LOBBY }), -32006);
    alice.ok("unsubscribe", json!({ "channel": LOBBY }));
    alice.fails("unsubscribe", json!({ "channel": LOBBY }), -32006);
    publish(&mut bob, 1);
    let mut aside = Vec::new();
    alice.call_aside("ping", json!({}), &mut aside);
    assert!(aside.is_empty());
}

#[test]
fn a_batch_is_answered_as_json_rpc_says() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    ws.text(r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":2,"method":"nope"},7]"#);
    let answers = ws.json();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 3, "the notification has no answer");
    assert_eq!(
        (&answers[0]["id"], &answers[0]["result"]),
        (&json!("a"), &json!({}))
    );
    assert_eq!(
        (&answers[1]["id"], &answers[1]["error"]["code"]),
        (&json!(2), &json!(-32601))
    );
    assert_eq!(
        (&answers[2]["id"], &answers[2]["error"]["code"]),
        (&Value::Null, &json!(-32600))
    );
}

#[test]
fn mistakes_are_named_by_json_rpcs_codes() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for (text, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"#, -32602),
    ] {
        ws.text(text);
        assert_eq!(ws.json()["error"]["code"], code, "{text}");
    }
}

#[test]
fn a_ticket_opens_what_it_was_issued_for() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let mut connection = server.connect();
    let body = r#"{"route":"/live"}"#;
    connection.send(
        format!(
            "POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let response = connection.response();
    assert_eq!(response.status, 201);
    assert_eq!(response.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(response.header("cache-control"), "no-store");
    let answer = response.json();
    assert_eq!(answer["expires_in"], 30);
    assert_eq!(answer["handle"], "alice", "whose it is");
    let mut ws = server.open(
        Handshake::new("/live")
            .origin(ORIGIN)
            .ticket(answer["ticket"].as_str().unwrap()),
    );
    ws.ok("subscribe", json!({ "channel": LOBBY }));
}

#[test]
fn a_channels_route_speaks_its_protocol_only() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/native")
        .bearer(&token)
        .set("Sec-WebSocket-Protocol", "graphql-ws");
    let mut connection = server.connect();
    connection.send(handshake.text().as_bytes());
    assert_eq!(connection.response().status, 400);
    server.refused("subprotocol");
}

#[test]
fn large_messages_and_many_in_flight_come_back_whole() {
    let server = Server::start();
    let mut ws = server.echo();
    for size in [0, 1, 125, 126, 16_383, 16_384, 65_535, 65_536] {
        let payload: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        ws.send(0x82, &payload);
        assert_eq!(ws.next().unwrap().payload, payload);
    }
    for n in 0..200_u8 {
        ws.send(0x82, &[n; 100]);
    }
    for n in 0..200_u8 {
        assert_eq!(ws.next().unwrap().payload, [n; 100]);
    }
    ws.send(0x82, &[0; 65_537]);
    assert_eq!(ws.closed(), (1009, "size".into()));
}

crate::harness::over_http2![
    two_users_talk_both_ways,
    who_returns_gets_what_was_missed_or_is_told_that_it_cannot,
    all_followers_see_two_publishers_in_one_order,
    nothing_is_lost_between_two_sockets,
    unsubscribing_ends_deliveries_and_twice_is_an_error,
    a_batch_is_answered_as_json_rpc_says,
    mistakes_are_named_by_json_rpcs_codes,
    a_ticket_opens_what_it_was_issued_for,
    a_channels_route_speaks_its_protocol_only,
    large_messages_and_many_in_flight_come_back_whole,
];
