//! Whom a publication is brought to, and what of it reaches those who read slowly.

use serde_json::json;

use crate::harness::Server;

const LOBBY: &str = "chat/lobby";

#[test]
fn who_publishes_without_echo_hears_of_everything_but_that() {
    let server = Server::start();
    let mut alice = server.socket("alice");
    let mut others = [server.socket("alice"), server.socket("bob")];
    for ws in std::iter::once(&mut alice).chain(&mut others) {
        ws.ok("subscribe", json!({ "channel": LOBBY }));
    }
    let publish =
        |data: &str, no_echo: bool| json!({ "channel": LOBBY, "data": data, "noEcho": no_echo });
    let own = alice.ok("publish", publish("quiet", true));
    let loud = alice.ok("publish", publish("loud", false));
    for ws in &mut others {
        for (data, answer) in [("quiet", &own), ("loud", &loud)] {
            let heard = ws.json()["params"].take();
            assert_eq!(heard["data"], data, "others, the same user's too");
            assert_eq!(heard["position"], answer["position"]);
        }
    }
    let next = alice.json()["params"].take();
    assert_eq!(next["data"], "loud", "what is published with an echo");
    // One behind the other: who adds the position of its answer has no gap.
    let offset = |position: &serde_json::Value| {
        let text = position.as_str().unwrap().split_once(':').unwrap().1;
        text.parse::<u64>().unwrap()
    };
    assert_eq!(offset(&next["position"]), offset(&own["position"]) + 1);
}

#[test]
fn echo_is_asked_for_with_true_or_false() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for not in [json!(1), json!("true"), json!(null)] {
        let params = json!({ "channel": LOBBY, "data": 1, "noEcho": not });
        ws.fails("publish", params, -32602);
    }
}

crate::harness::over_http2![
    who_publishes_without_echo_hears_of_everything_but_that,
    echo_is_asked_for_with_true_or_false,
];
