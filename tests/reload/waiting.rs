//! Operators who ask for reloads faster than these are done.

use crate::harness::{Connection, Server};

/// As many as the admin listener takes at once.
const OPERATORS: usize = 32;

#[test]
fn so_many_reloads_wait_and_one_more_is_refused() {
    let server = Server::start();
    let request = format!(
        "POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
        server.admin_token
    );
    // All of them are there when the server goes on, so that the first is not done when the last is asked for.
    server.stop();
    let ask = |_| {
        let mut operator = Connection::plain(server.admin);
        operator.send(request.as_bytes());
        operator
    };
    let mut operators: Vec<_> = (0..OPERATORS).map(ask).collect();
    server.go_on();
    let answers = operators.iter_mut().map(Connection::response);
    let (done, refused): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 200);
    assert!(done.len() >= 8, "{} waited", done.len());
    assert!(!refused.is_empty(), "all waited");
    for answer in refused {
        assert_eq!(answer.status, 422);
        assert!(
            answer.body.contains("8 reloads are waiting already"),
            "{answer:?}"
        );
    }
    assert_eq!(server.admin("POST", "/reload", "").status, 200);
}
