//! Tokens that an application got by `openid-client`, which the OpenID Foundation has certified, from a real provider.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{Provider, provider::secret_of};
use crate::{
    attacks::{native, refused, ticket},
    harness::{Handshake, Server, Setup},
};

/// What it got.
fn flows(provider: &Provider, server: &Server) -> Value {
    let given = json!({ "issuer": provider.issuer, "secret": secret_of() });
    let output = Command::new("node")
        .arg("tests/identity/openid_client/flows.mjs")
        .arg(given.to_string())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("NODE_EXTRA_CA_CERTS", server.folder.join("ca.pem"))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the flows did not end");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_openid_client_gets_by_each_flow_opens_sockets_and_nothing_else_does() {
    let setup = Setup::new();
    let provider = Provider::start(&setup);
    let server = provider.server_and_audience(setup, "basic", "");
    let got = flows(&provider, &server);
    let token = |name: &str| got[name].as_str().unwrap();
    // Code with PKCE, and its refresh, which the socket goes on with.
    let mut alice = server.open(native(token("alice")));
    alice.ok("refresh", json!({ "token": token("refreshed") }));
    alice.ok("subscribe", json!({ "channel": "free/room" }));
    // By a ticket, as pages do; and of a program for itself.
    let by_ticket = ticket(&server, token("refreshed"), "/native", None);
    server.open(Handshake::new("/native").ticket(&by_ticket));
    let mut machine = server.open(native(token("machine")));
    let said = machine.ok("publish", json!({ "channel": "free/room", "data": "hi" }));
    assert!(said["position"].is_string(), "{said}");
    for subject in ["alice", "app"] {
        let event =
            server.audited(|event| event["event"] == "admission" && event["subject"] == subject);
        assert_eq!(event["issuer"], provider.issuer);
    }
    for (name, reason) in [
        ("id", "token-type"),
        ("refresh", "token-malformed"),
        ("elsewhere", "token-audience"),
    ] {
        refused(&server, &native(token(name)), 401, reason);
    }
    // Another user's ends the socket.
    alice.text(
        &json!({ "jsonrpc": "2.0", "id": 9, "method": "refresh", "params": { "token": token("bob") } })
            .to_string(),
    );
    alice.closes(3003, "subject");
}
