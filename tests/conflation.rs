//! Channels of which the newest of each key counts.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::{Handshake, Opening, Setup};

const CHANNEL: &str = "market/fx";

fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.limits += "messages_per_second = 0\nidentity_messages = 1000000\noutbox = \"512KiB\"\n";
    setup.rest += "[[channel]]\nname = \"market/{of}\"\nsubscribe = \"authenticated\"\npublish = \"authenticated\"\n\
        conflate = \"/symbol\"\nhistory = { size = 5, ttl = \"1h\" }\n";
    setup
}

fn quote(symbol: impl Into<Value>, price: usize, pad: usize) -> Value {
    json!({ "channel": CHANNEL, "data": { "symbol": symbol.into(), "price": price, "pad": "x".repeat(pad) } })
}

fn price(publication: &Value) -> (String, u64) {
    let data = &publication["data"];
    (
        data["symbol"].as_str().unwrap().to_owned(),
        data["price"].as_u64().unwrap(),
    )
}

fn offset(publication: &Value) -> u64 {
    let position = publication["position"].as_str().unwrap();
    position.split_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn who_keeps_up_gets_everything_in_order() {
    let server = setup().start();
    let (mut reader, mut feed) = (server.socket("alice"), server.socket("feed"));
    let begun = reader.ok("subscribe", json!({ "channel": CHANNEL }));
    assert_eq!(begun["conflated"], true);
    for n in 0..100 {
        feed.ok("publish", quote(format!("S{}", n % 3), n, 0));
        let heard = reader.json();
        assert_eq!(price(&heard["params"]), (format!("S{}", n % 3), n as u64));
    }
}

/// 50 symbols change some 100 times each while somebody does not read: they get the newest of each, and stay.
#[test]
fn who_does_not_read_gets_the_newest_of_each_and_no_backlog() {
    let server = setup().start();
    let token = server.issuer.token("alice").mint();
    let opening = Opening::new(Handshake::new("/native").bearer(&token)).window(4096);
    let mut reader = opening.on(&server).ws;
    reader.ok("subscribe", json!({ "channel": CHANNEL }));
    let mut feed = server.socket("feed");
    let (symbols, updates, pad) = (50, 100, 4000);
    let mut newest = HashMap::new();
    for n in 0..symbols * updates {
        let symbol = format!("S{}", n % symbols);
        feed.ok("publish", quote(&*symbol, n, pad));
        newest.insert(symbol, n as u64);
    }
    // What none of it takes the place of comes behind all of it.
    feed.ok("publish", quote("END", 0, 0));
    let (mut heard, mut count, mut last) = (HashMap::new(), 0, 0);
    loop {
        let notice = reader.json();
        let params = &notice["params"];
        let (symbol, price) = price(params);
        assert!(offset(params) > last, "in order");
        (count, last) = (count + 1, offset(params));
        if symbol == "END" {
            break;
        }
        heard.insert(symbol, price);
    }
    assert_eq!(heard, newest);
    // At most two of each waited, and some 24 KiB on the way.
    assert!(count < 3 * symbols, "{count}");
    reader.ok("ping", json!({}));
    assert_eq!(server.metric("wardwire_sockets_open"), 2);
}

#[test]
fn who_comes_new_or_comes_back_gets_the_newest_of_each() {
    let server = setup().start();
    let mut feed = server.socket("feed");
    for n in 0..20 {
        feed.ok("publish", quote(format!("S{}", n % 10), n, 0));
    }
    let mut reader = server.socket("alice");
    let begun = reader.ok("subscribe", json!({ "channel": CHANNEL }));
    let values = |begun: &Value| -> Vec<(String, u64)> {
        begun["publications"]
            .as_array()
            .unwrap()
            .iter()
            .map(price)
            .collect()
    };
    let all: Vec<_> = (10..20).map(|n| (format!("S{}", n % 10), n)).collect();
    assert_eq!(values(&begun), all);
    let since = begun["position"].as_str().unwrap().to_owned();
    drop(reader);
    // Of what the history still has, everything.
    for n in 20..23 {
        feed.ok("publish", quote(format!("S{}", n % 10), n, 0));
    }
    let back = |since: &str| {
        let mut reader = server.socket("alice");
        reader.ok("subscribe", json!({ "channel": CHANNEL, "since": since }))
    };
    let begun = back(&since);
    assert_eq!(
        (&begun["recovered"], values(&begun).len()),
        (&json!(true), 3)
    );
    for n in 23..30 {
        feed.ok("publish", quote(format!("S{}", n % 10), n, 0));
    }
    // Beyond the history, and not everything, but the newest of each: none of them is missing.
    let begun = back(&since);
    let all: Vec<_> = (20..30).map(|n| (format!("S{}", n % 10), n)).collect();
    assert_eq!((&begun["recovered"], values(&begun)), (&json!(true), all));
    let begun = back("1:1");
    assert_eq!(
        (&begun["recovered"], values(&begun).len()),
        (&json!(false), 10)
    );
}

#[test]
fn who_cannot_be_sent_all_at_once_is_told_so() {
    let server = setup().start();
    let mut feed = server.socket("feed");
    let first = feed.ok("publish", quote("S0", 0, 4000))["position"].clone();
    for n in 1..100 {
        feed.ok("publish", quote(format!("S{n}"), n, 4000));
    }
    let mut reader = server.socket("alice");
    for since in [json!({}), json!({ "since": first })] {
        let mut params = json!({ "channel": CHANNEL });
        let asked = since.as_object().unwrap().clone();
        params.as_object_mut().unwrap().extend(asked);
        let begun = reader.ok("subscribe", params);
        assert_eq!(
            (&begun["truncated"], &begun["recovered"]),
            (&json!(true), &json!(false))
        );
        let values = begun["publications"].as_array().unwrap();
        assert!((30..100).contains(&values.len()), "{}", values.len());
        assert_eq!(price(values.last().unwrap()), ("S99".to_owned(), 99));
        reader.ok("unsubscribe", json!({ "channel": CHANNEL }));
    }
}

#[test]
fn what_is_no_value_of_anything_is_refused_at_its_place() {
    let server = setup().start();
    let mut feed = server.socket("feed");
    for symbol in [
        json!(null),
        json!(1.5),
        json!(["EUR"]),
        json!(""),
        json!("x".repeat(65)),
    ] {
        let answer = feed.call("publish", quote(symbol, 1, 0));
        assert_eq!(answer["error"]["code"], -32008);
        let data = &answer["error"]["data"];
        assert_eq!(
            (&data["pointer"], &data["keyword"]),
            (&json!("/symbol"), &json!("conflate"))
        );
    }
    feed.fails(
        "publish",
        json!({ "channel": CHANNEL, "data": "EUR" }),
        -32008,
    );
    feed.ok("publish", quote(7, 1, 0));
}

crate::harness::over_http2![
    who_keeps_up_gets_everything_in_order,
    who_comes_new_or_comes_back_gets_the_newest_of_each,
    who_cannot_be_sent_all_at_once_is_told_so,
    what_is_no_value_of_anything_is_refused_at_its_place,
];
