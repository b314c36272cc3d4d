//! Channels that keep their last value.

use serde_json::{Value, json};

use crate::harness::{Server, Setup};

fn server() -> Server {
    let mut setup = Setup::new();
    setup.rest += "[[channel]]\nname = \"price/{of}\"\nsubscribe = \"authenticated\"\npublish = \"authenticated\"\n\
        last_value = true\nhistory = { size = 2, ttl = \"1h\" }\n";
    setup.start()
}

fn data(answer: &Value) -> Vec<&Value> {
    let publications = answer["publications"].as_array().unwrap();
    publications.iter().map(|it| &it["data"]).collect()
}

#[test]
fn a_new_subscriber_gets_the_last_value_at_once() {
    let server = server();
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    let channel = "price/tea";
    let empty = bob.ok("subscribe", json!({ "channel": channel }));
    assert!(data(&empty).is_empty(), "nothing was ever published");
    let mut positions = Vec::new();
    for n in 1..=4 {
        let published = alice.ok("publish", json!({ "channel": channel, "data": n }));
        assert_eq!(bob.json()["params"]["data"], n);
        positions.push(published["position"].clone());
    }
    let begun = alice.ok("subscribe", json!({ "channel": channel }));
    assert_eq!(
        begun,
        json!({
            "channel": channel, "position": positions[3], "recovered": false,
            "publications": [{ "data": 4, "position": positions[3], "from": "alice" }],
        })
    );
    bob.ok("publish", json!({ "channel": channel, "data": 5 }));
    assert_eq!(alice.json()["params"]["data"], 5);
    let mut carol = server.socket("carol");
    let back = carol.ok(
        "subscribe",
        json!({ "channel": channel, "since": positions[2] }),
    );
    assert_eq!(
        (&back["recovered"], data(&back)),
        (&json!(true), vec![&json!(4), &json!(5)])
    );
    carol.ok("unsubscribe", json!({ "channel": channel }));
    let back = carol.ok(
        "subscribe",
        json!({ "channel": channel, "since": positions[0] }),
    );
    assert_eq!(
        (&back["recovered"], data(&back)),
        (&json!(false), vec![&json!(5)])
    );
}

crate::harness::over_http2![a_new_subscriber_gets_the_last_value_at_once];
