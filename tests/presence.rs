//! Who is in a channel, and who is told.

use serde_json::{Value, json};

use crate::harness::{Handshake, Setup, Ws, secret};

const ROOM: &str = "room/1";

/// All may follow `room/{id}`, and see each other; `quiet/{id}` tells those with the scope `see`.
fn setup() -> Setup {
    let mut setup = Setup::new();
    secret(&setup.folder.join("backend.token"), &"b".repeat(32));
    setup.rest += "\
        [backend]\ntoken_files = [\"backend.token\"]\n\
        [[route]]\npath = \"/open\"\nanonymous = true\nnative_clients = true\n\
        [[channel]]\nname = \"room/{id}\"\nsubscribe = \"anyone\"\npublish = \"anyone\"\n\
        presence = { info = [\"name\", \"profile.level\", \"rooms\", \"none\"] }\n\
        [[channel]]\nname = \"quiet/{id}\"\nsubscribe = \"authenticated\"\npresence = { see = { any = [{ scope = \"see\" }, \"server\"] } }\n";
    setup
}

fn present(ws: &mut Ws, channel: &str) -> Value {
    ws.ok("presence", json!({ "channel": channel }))
}

fn follow(ws: &mut Ws, channel: &str) {
    ws.ok("subscribe", json!({ "channel": channel }));
}

/// Waits for the next of these notices that names somebody, and tells whom.
fn told(ws: &mut Ws, method: &str) -> (Vec<String>, u64) {
    loop {
        let notice = ws.json();
        if notice["method"] == method {
            let params = &notice["params"];
            let members = params["members"].as_array().unwrap();
            let names = members
                .iter()
                .map(|it| it["from"].as_str().unwrap().to_owned());
            return (names.collect(), params["count"].as_u64().unwrap());
        }
    }
}

/// Waits until so many are told to be in the channel.
fn told_count(ws: &mut Ws, count: u64) {
    loop {
        let notice = ws.json();
        if notice["params"]["count"] == count {
            return;
        }
    }
}

#[test]
fn who_comes_and_goes_is_told_with_what_was_chosen_and_nothing_else() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    follow(&mut alice, ROOM);
    assert_eq!(told(&mut alice, "joined"), (vec!["alice".to_owned()], 1));
    let token = server
        .issuer
        .token("bob")
        .claim("name", "B\u{202e}ob")
        .claim("profile", json!({ "level": 7, "secret": "x" }));
    let mut bob = server.open(Handshake::new("/native").bearer(&token.mint()));
    follow(&mut bob, ROOM);
    let notice = alice.json();
    assert_eq!(notice["method"], "joined");
    let member = json!({ "from": "bob", "info": { "name": "Bob", "profile.level": 7 } });
    assert_eq!(
        notice["params"],
        json!({ "channel": ROOM, "members": [member], "count": 2 })
    );
    let here = present(&mut alice, ROOM);
    assert_eq!(here["members"], json!([{ "from": "alice" }, member]));
    let count = alice.ok("presence", json!({ "channel": ROOM, "countOnly": true }));
    assert_eq!(
        count,
        json!({ "count": 2, "anonymous": 0, "members": [], "truncated": true })
    );
    bob.ok("unsubscribe", json!({ "channel": ROOM }));
    assert_eq!(told(&mut alice, "left"), (vec!["bob".to_owned()], 1));
    drop(bob);
}

#[test]
fn all_sockets_of_a_user_are_one_member_and_nobodys_are_counted() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    follow(&mut alice, ROOM);
    let [mut one, mut two] = [(); 2].map(|()| server.socket("bob"));
    follow(&mut one, ROOM);
    follow(&mut two, ROOM);
    told_count(&mut alice, 2);
    let mut stranger = server.open(Handshake::new("/open"));
    follow(&mut stranger, ROOM);
    let here = present(&mut alice, ROOM);
    assert_eq!((&here["count"], &here["anonymous"]), (&json!(2), &json!(1)));
    drop(one);
    server.until_metric("wardwire_sockets_open", 3);
    assert_eq!(present(&mut alice, ROOM)["count"], 2);
    drop(two);
    assert_eq!(told(&mut alice, "left"), (vec!["bob".to_owned()], 1));
    drop(stranger);
    server.until_metric("wardwire_sockets_open", 1);
    assert_eq!(present(&mut alice, ROOM)["anonymous"], 0);
}

#[test]
fn who_may_not_see_is_told_nothing() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    let token = server.issuer.token("carol").claim("scope", "see").mint();
    let mut carol = server.open(Handshake::new("/native").bearer(&token));
    follow(&mut alice, "quiet/1");
    alice.fails("presence", json!({ "channel": "quiet/1" }), -32001);
    alice.fails("presence", json!({ "channel": "nowhere" }), -32001);
    // One that tells nobody is like one that is not there.
    alice.fails("presence", json!({ "channel": "chat/lobby" }), -32001);
    follow(&mut carol, "quiet/1");
    told_count(&mut carol, 2);
    assert_eq!(present(&mut carol, "quiet/1")["count"], 2);
    let mut bob = server.socket("bob");
    follow(&mut bob, "quiet/1");
    told_count(&mut carol, 3);
    let mut aside = Vec::new();
    alice.call_aside("ping", json!({}), &mut aside);
    assert!(aside.is_empty(), "{aside:?}");
}

#[test]
fn attack_073_presence_after_the_right_was_taken_away() {
    let server = setup().start();
    let issuer = &server.issuer;
    let token = issuer.token("carol").claim("scope", "see").mint();
    let mut carol = server.open(Handshake::new("/native").bearer(&token));
    follow(&mut carol, "quiet/1");
    told_count(&mut carol, 1);
    let mut dora = server
        .open(Handshake::new("/native").bearer(&issuer.token("dora").claim("scope", "see").mint()));
    follow(&mut dora, "quiet/1");
    told_count(&mut carol, 2);
    let less = issuer.token("carol").mint();
    carol.ok("refresh", json!({ "token": less }));
    carol.fails("presence", json!({ "channel": "quiet/1" }), -32001);
    let mut bob = server.socket("bob");
    follow(&mut bob, "quiet/1");
    told_count(&mut dora, 3);
    let mut aside = Vec::new();
    carol.call_aside("ping", json!({}), &mut aside);
    assert!(aside.is_empty(), "{aside:?}");
    // She still follows, and is still there.
    assert_eq!(present(&mut dora, "quiet/1")["count"], 3);
    let more = issuer.token("carol").claim("scope", "see").mint();
    carol.ok("refresh", json!({ "token": more }));
    assert_eq!(present(&mut carol, "quiet/1")["count"], 3);
}

#[test]
fn what_is_told_beside_a_member_changes_with_the_token() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    follow(&mut alice, ROOM);
    let token = |name: &str| server.issuer.token("bob").claim("name", name).mint();
    let mut bob = server.open(Handshake::new("/native").bearer(&token("Bob")));
    follow(&mut bob, ROOM);
    told_count(&mut alice, 2);
    bob.ok("refresh", json!({ "token": token("Robert") }));
    let notice = loop {
        let notice = alice.json();
        if notice["params"]["members"][0]["info"]["name"] == "Robert" {
            break notice;
        }
    };
    assert_eq!(
        (&notice["method"], &notice["params"]["count"]),
        (&json!("joined"), &json!(2))
    );
}

#[test]
fn a_socket_that_ends_is_there_no_longer_however_it_ends() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    follow(&mut alice, ROOM);
    let mut bob = server.socket("bob");
    follow(&mut bob, ROOM);
    told_count(&mut alice, 2);
    let body = json!({ "issuer": "https://id.test", "subject": "bob" }).to_string();
    assert_eq!(server.admin("POST", "/revocations", &body).status, 200);
    bob.closes(3000, "revoked");
    assert_eq!(told(&mut alice, "left"), (vec!["bob".to_owned()], 1));
    assert_eq!(present(&mut alice, ROOM)["count"], 1);
}

/// What a follower is told of thousands who come and go is a short message or two a second.
#[test]
fn attack_059_a_presence_storm_is_coalesced() {
    let mut setup = setup();
    setup.limits +=
        "connections_per_subject = 1000\nmessages_per_second = 0\nidentity_messages = 1000000\n";
    let server = setup.start();
    let mut alice = server.socket("alice");
    follow(&mut alice, ROOM);
    told_count(&mut alice, 1);
    const CROWD: usize = 150;
    let mut crowd: Vec<Ws> = (0..CROWD)
        .map(|n| server.socket(&format!("user {n}")))
        .collect();
    // 9,000 joins and as many leaves.
    const TURNS: usize = 60;
    let before = server.memory();
    for _ in 0..TURNS {
        for (method, ids) in [("subscribe", 1), ("unsubscribe", 2)] {
            for ws in &mut crowd {
                ws.text(&json!({ "jsonrpc": "2.0", "id": ids, "method": method, "params": { "channel": ROOM } }).to_string());
            }
            for ws in &mut crowd {
                while ws.json()["id"] != ids {}
            }
        }
    }
    for ws in &mut crowd {
        follow(ws, ROOM);
    }
    let (mut notices, mut bytes) = (0, 0);
    loop {
        let notice = alice.json();
        (notices, bytes) = (notices + 1, bytes + notice.to_string().len());
        if notice["method"] == "joined" && notice["params"]["count"] == CROWD + 1 {
            break;
        }
    }
    let changes = 2 * CROWD * TURNS + CROWD;
    assert!(
        notices < changes / 50 && bytes < changes * 20,
        "{notices} notices, {bytes} bytes of {changes} changes"
    );
    let more = server.memory().saturating_sub(before);
    assert!(more < 16 * 1024 * 1024, "{more} bytes more");
}

#[test]
fn more_than_a_hundred_at_once_are_counted_and_not_named() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    follow(&mut alice, ROOM);
    told_count(&mut alice, 1);
    let mut crowd: Vec<Ws> = (0..120)
        .map(|n| server.socket(&format!("user {n:03}")))
        .collect();
    for ws in &mut crowd {
        ws.text(&json!({ "jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": { "channel": ROOM } }).to_string());
    }
    for ws in &mut crowd {
        while ws.json()["id"] != 1 {}
    }
    let mut named = 0;
    let truncated = loop {
        let notice = alice.json();
        named += notice["params"]["members"].as_array().unwrap().len();
        if notice["params"]["count"] == 121 {
            break notice["params"]["truncated"] == true;
        }
    };
    // However they were cut into seconds.
    assert!(truncated || named == 120, "{named} named");
    let here = present(&mut alice, ROOM);
    assert_eq!(
        (&here["count"], &here["truncated"]),
        (&json!(121), &json!(true))
    );
    assert_eq!(here["members"].as_array().unwrap().len(), 100);
}

crate::harness::over_http2![
    who_comes_and_goes_is_told_with_what_was_chosen_and_nothing_else,
    who_may_not_see_is_told_nothing,
    attack_073_presence_after_the_right_was_taken_away,
];
