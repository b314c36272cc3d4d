//! One test for each row of the catalogue of attacks, named after its number.

mod admin;
mod content;
mod deflate;
mod demo;
mod framing;
mod handshake;
mod http2;
mod keys;
mod origin;
mod resources;
mod rights;
pub(crate) mod session;
mod tokens;
mod transport;

use serde_json::json;

use crate::harness::{Handshake, ORIGIN, Response, Server};

/// Makes an attempt and demands its refusal: this status, no `101`, a short generic body, a closed connection, and an
/// audit event with the precise reason.
pub(crate) fn refused(
    server: &Server,
    handshake: &Handshake,
    status: u16,
    reason: &str,
) -> Response {
    refused_bytes(server, handshake.text().as_bytes(), status, reason)
}

fn refused_bytes(server: &Server, bytes: &[u8], status: u16, reason: &str) -> Response {
    let events = server.audit().len();
    let mut connection = server.connect();
    connection.send(bytes);
    let response = connection.response();
    if server.is_read_before() && response.header("content-type") != "application/problem+json" {
        assert!((400..600).contains(&response.status), "{response:?}");
        assert_eq!(server.audit().len(), events, "the balancer kept it");
        return response;
    }
    assert_eq!(response.status, status, "{response:?}");
    assert!(response.body.len() < 200, "{response:?}");
    assert_eq!(response.header("content-type"), "application/problem+json");
    assert!(!response.body.contains(reason) || response.json()["code"] == reason);
    // A balancer keeps its clients' connections.
    if !server.is_read_before() {
        assert_eq!(
            connection.rest(),
            0,
            "the connection is closed and says no more"
        );
    }
    let event = server.refused_since(events, reason);
    assert_eq!(event["status"], status);
    let secrets = secrets(bytes);
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    server.assert_unlogged(&secrets);
    response
}

/// Tokens, tickets and cookies of a request.
fn secrets(request: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(request);
    let marks = ["Bearer ", "wardwire.ticket.", "__Host-wardwire="];
    let found = marks.iter().flat_map(|mark| text.split(mark).skip(1));
    let secret = |text: &str| {
        let end = text.find(['\r', ';', ',']).unwrap_or(text.len());
        text[..end].to_owned()
    };
    found.map(secret).filter(|it| it.len() >= 16).collect()
}

/// A good handshake on the browser's route.
fn live(token: &str) -> Handshake {
    Handshake::new("/live").origin(ORIGIN).bearer(token)
}

/// A good handshake on the native route.
pub(crate) fn native(token: &str) -> Handshake {
    Handshake::new("/native").bearer(token)
}

/// Asks for a ticket.
fn ask_ticket(server: &Server, token: &str, route: &str, origin: Option<&str>) -> Response {
    let body = json!({ "route": route }).to_string();
    let origin = origin.map_or(String::new(), |origin| format!("Origin: {origin}\r\n"));
    let mut connection = server.connect();
    let length = body.len();
    let request = format!(
        "POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {token}\r\n{origin}Content-Length: {length}\r\n\r\n{body}"
    );
    connection.send(request.as_bytes());
    connection.response()
}

pub(crate) fn ticket(server: &Server, token: &str, route: &str, origin: Option<&str>) -> String {
    let response = ask_ticket(server, token, route, origin);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["ticket"].as_str().unwrap().to_owned()
}
