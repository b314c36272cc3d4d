//! What peers can do below the frames: with TCP segments, with TLS records, by their pace and by their number.
//!
//! Whatever one of them does, it gets the right answer, the audit log is told, and the others are served as before.

mod cuts;
mod descriptors;
mod ends;
mod records;
mod slow;
mod suites;

use serde_json::json;

use crate::harness::{Handshake, Opening, Server, Wire, frame};

/// A receive buffer that a few messages fill.
const SMALL: usize = 4096;

/// A socket that follows the lobby, with a small receive buffer.
fn follower(server: &Server, subject: &str) -> Wire {
    let token = server.issuer.token(subject).mint();
    let handshake = Handshake::new("/native").bearer(&token);
    let mut wire = Opening::new(handshake).window(SMALL).on(server);
    wire.ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    wire
}

/// Says something and demands its echo.
fn echoes(wire: &mut Wire, text: &str) {
    let record = wire.data(&frame(0x81, text.as_bytes()));
    wire.put(&record);
    let echo = wire.ws.next().expect("an echo");
    assert_eq!((echo.first, &*echo.payload), (0x81, text.as_bytes()));
}

/// Somebody else comes and is served, and nothing panicked until then.
fn serves_others(server: &Server) {
    let mut ws = server.echo();
    ws.text("and I?");
    assert_eq!(ws.next().expect("an echo").payload, b"and I?");
    ws.send(0x88, &1000_u16.to_be_bytes());
    assert_eq!(ws.closed().0, 1000);
    let log = std::fs::read_to_string(server.folder.join("server.log")).unwrap();
    assert!(!log.contains("a panic"), "{log}");
}

/// Waits for so many sockets to have ended with this code and word.
fn ended(server: &Server, count: usize, code: u16, word: &str) {
    let fits = |event: &&serde_json::Value| {
        event["event"] == "close" && event["code"] == code && event["reason"] == word
    };
    server.audited(|_| server.audit().iter().filter(fits).count() >= count);
    assert_eq!(server.audit().iter().filter(fits).count(), count);
}
