//! What is kept of a channel, read page by page.

use serde_json::{Value, json};

use crate::harness::{Handshake, Server, Setup, Ws};

const LOBBY: &str = "chat/lobby";

/// A server whose lobby keeps so many, and somebody who has published as many as these.
fn filled(size: usize, count: usize) -> (Server, Ws, Vec<Value>) {
    let mut setup = Setup::new();
    assert!(setup.rest.contains("size = 100"));
    setup.rest = setup.rest.replace("size = 100", &format!("size = {size}"));
    let server = setup.start();
    let mut ws = server.socket("alice");
    let publish = |n| ws.ok("publish", json!({ "channel": LOBBY, "data": n }))["position"].clone();
    let positions = (0..count).map(publish).collect();
    (server, ws, positions)
}

fn page(ws: &mut Ws, params: Value) -> Value {
    let mut all = json!({ "channel": LOBBY });
    let members = params.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(members);
    ws.ok("history", all)
}

fn data(page: &Value) -> Vec<u64> {
    let publications = page["publications"].as_array().unwrap();
    publications
        .iter()
        .map(|it| it["data"].as_u64().unwrap())
        .collect()
}

#[test]
fn pages_of_history_make_up_the_whole_in_both_directions() {
    let (_server, mut ws, positions) = filled(100, 70);
    let newest = page(&mut ws, json!({}));
    assert_eq!(
        data(&newest),
        (20..70).collect::<Vec<_>>(),
        "fifty if nobody says"
    );
    assert_eq!(
        newest["publications"][0],
        json!({ "data": 20, "position": positions[20], "from": "alice" })
    );
    assert_eq!(
        (&newest["position"], &newest["more"], &newest["complete"]),
        (&positions[69], &json!(true), &json!(true))
    );
    let before = page(&mut ws, json!({ "before": positions[20], "limit": 100 }));
    assert_eq!(data(&before), (0..20).collect::<Vec<_>>());
    assert_eq!(
        (&before["more"], &before["complete"]),
        (&json!(false), &json!(true))
    );
    let after = page(&mut ws, json!({ "after": positions[9], "limit": 5 }));
    assert_eq!(data(&after), [10, 11, 12, 13, 14]);
    assert_eq!(
        (&after["more"], &after["complete"]),
        (&json!(true), &json!(true))
    );
    let rest = page(&mut ws, json!({ "after": positions[60], "limit": 100 }));
    assert_eq!(data(&rest), (61..70).collect::<Vec<_>>());
    assert_eq!(
        (&rest["more"], &rest["complete"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn what_is_no_longer_kept_and_what_is_of_another_epoch_is_told() {
    let (_server, mut ws, positions) = filled(10, 15);
    let newest = page(&mut ws, json!({ "limit": 100 }));
    assert_eq!(data(&newest), (5..15).collect::<Vec<_>>());
    assert_eq!(
        (&newest["more"], &newest["complete"]),
        (&json!(false), &json!(false))
    );
    let after = page(&mut ws, json!({ "after": positions[2] }));
    assert_eq!(
        (data(&after).len(), &after["complete"]),
        (10, &json!(false))
    );
    let just = page(&mut ws, json!({ "after": positions[4] }));
    assert_eq!((data(&just).len(), &just["complete"]), (10, &json!(true)));
    for params in [json!({ "after": "1:3" }), json!({ "before": "1:3" })] {
        let other = page(&mut ws, params);
        assert_eq!(other["complete"], false);
        assert_eq!(other["position"], positions[14]);
    }
}

#[test]
fn a_page_of_large_publications_ends_early_and_says_so() {
    let (server, mut ws, _) = filled(100, 0);
    let large = "x".repeat(60_000);
    for _ in 0..20 {
        ws.ok("publish", json!({ "channel": LOBBY, "data": large }));
    }
    let newest = page(&mut ws, json!({ "limit": 100 }));
    let count = newest["publications"].as_array().unwrap().len();
    assert!((1..=5).contains(&count), "{count}");
    assert_eq!(
        (&newest["more"], &newest["complete"]),
        (&json!(true), &json!(true))
    );
    // Many pages at once are small, and at last empty: together they are bounded.
    let call = |id| json!({ "jsonrpc": "2.0", "id": id, "method": "history", "params": { "channel": LOBBY, "limit": 100 } });
    let calls: Vec<Value> = (0..30).map(call).collect();
    let mut other = server.socket("bob");
    other.text(&json!(calls).to_string());
    let answers = other.json();
    let pages = answers.as_array().unwrap().iter();
    let counts: Vec<usize> = pages
        .map(|it| {
            assert_eq!(it["result"]["more"], true);
            it["result"]["publications"].as_array().unwrap().len()
        })
        .collect();
    let all: usize = counts.iter().sum();
    assert!((5..=10).contains(&all), "{counts:?}");
    let again = page(&mut other, json!({ "limit": 100 }));
    assert_eq!(again["publications"], newest["publications"], "room again");
}

#[test]
fn history_is_read_by_who_may_and_asked_for_as_it_should_be() {
    let (server, mut ws, positions) = filled(100, 2);
    let token = server
        .issuer
        .token("mallory")
        .claim("rooms", json!([]))
        .mint();
    let mut mallory = server.open(Handshake::new("/native").bearer(&token));
    let [forbidden, unknown] = [LOBBY, "nowhere"]
        .map(|channel| mallory.call("history", json!({ "channel": channel }))["error"].take());
    assert_eq!((&forbidden["code"], &forbidden), (&json!(-32001), &unknown));
    for params in [
        json!({ "after": positions[0], "before": positions[1] }),
        json!({ "after": "1" }),
        json!({ "before": 1 }),
        json!({ "limit": 0 }),
        json!({ "limit": 101 }),
        json!({ "limit": -1 }),
        json!({ "limit": 1.5 }),
        json!({ "limit": "1" }),
    ] {
        let mut all = params.clone();
        all["channel"] = LOBBY.into();
        ws.fails("history", all, -32602);
    }
    ws.fails("history", json!({ "channel": "a//b" }), -32005);
    let never = ws.ok("history", json!({ "channel": "chat/lobby" }));
    assert_eq!(data(&never), [0, 1], "without following it");
}

crate::harness::over_http2![
    pages_of_history_make_up_the_whole_in_both_directions,
    what_is_no_longer_kept_and_what_is_of_another_epoch_is_told,
    a_page_of_large_publications_ends_early_and_says_so,
    history_is_read_by_who_may_and_asked_for_as_it_should_be,
];

/// Who was not there before could say any position.
#[test]
fn who_may_follow_but_not_read_what_is_kept_is_not_caught_up_with_it() {
    let mut setup = Setup::new();
    setup.rest += "[[channel]]\nname = \"from-now-on\"\nsubscribe = \"authenticated\"\npublish = \"authenticated\"\n\
        history = { size = 10, ttl = \"1h\", read = { claim = \"sub\", equals = \"alice\" } }\n";
    let server = setup.start();
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    let say = |ws: &mut Ws| {
        ws.ok("publish", json!({ "channel": "from-now-on", "data": 1 }))["position"].clone()
    };
    let since = say(&mut alice);
    say(&mut alice);
    let ask = json!({ "channel": "from-now-on", "since": since });
    let told = alice.ok("subscribe", ask.clone());
    assert_eq!((&told["recovered"], data(&told)), (&json!(true), vec![1]));
    let told = bob.ok("subscribe", ask);
    assert_eq!((&told["recovered"], data(&told)), (&json!(false), vec![]));
}
