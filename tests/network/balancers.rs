//! Real balancers in front of a server, with the very lines that the documentation gives. They are ignored by default, as
//! HAProxy and nginx have to be there: `cargo xtask test balancers`.

use crate::harness::{
    Balancer, Connection, Handshake, Server, Setup, Ws, documented, in_folder, tcp_from, tls,
};

const CERTIFICATE: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
const ENDED: &str = "hosts = [\"localhost\"]\ntls = { terminated_by = [\"127.0.0.1\"] }";
const INTRODUCED: &str = "proxy_protocol = { from = [\"127.0.0.1\"] }";
/// Clients come from here; balancers from 127.0.0.1.
const CLIENT: [u8; 4] = [127, 0, 0, 9];

fn passing_through() -> Server {
    Setup::new().server(INTRODUCED).start()
}

/// A server whose TLS ends before it.
fn ended(setup: Setup) -> Server {
    let config = setup.config().replace(CERTIFICATE, ENDED);
    assert!(config.contains(ENDED));
    setup.start_with(&config)
}

/// A client's connection under TLS.
fn connect(balancer: &Balancer, server: &Server) -> Connection {
    Connection::through(tcp_from(CLIENT, balancer.secure), tls(server), "localhost")
}

/// A client that lies about itself, in every field that might be believed.
fn liar(path: &str) -> Handshake {
    Handshake::new(path)
        .with("X-Forwarded-For", "198.51.100.1")
        .with("X-Forwarded-Proto", "https")
        .with("X-Real-IP", "198.51.100.1")
        .with("Forwarded", "for=198.51.100.1;proto=https")
}

/// That sockets work through it, and that the client is written down for who it is.
fn serves(server: &Server, balancer: &Balancer) {
    let mut connection = connect(balancer, server);
    let handshake = Handshake::new("/echo").without("Sec-WebSocket-Protocol");
    connection.send(handshake.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 101, "{response:?}");
    let mut ws = Ws::new(connection);
    for text in ["hi", &"x".repeat(60_000)] {
        ws.text(text);
        assert_eq!(ws.next().unwrap().payload, text.as_bytes());
    }
}

/// That a client that lies about its address is written down by its own.
fn sees_through_lies(server: &Server, balancer: &Balancer) {
    let mut connection = connect(balancer, server);
    connection.send(liar("/native").text().as_bytes());
    assert_eq!(connection.response().status, 401);
    assert_eq!(server.refused("credential-missing")["peer"], "127.0.0.9");
}

/// That a client that comes in the clear is refused, whatever it says.
fn refuses_the_clear(server: &Server, balancer: &Balancer, detail: &str) {
    let mut connection = Connection::on(tcp_from(CLIENT, balancer.plain));
    let lies = liar("/echo").without("Sec-WebSocket-Protocol");
    connection.send(lies.text().as_bytes());
    assert_eq!(connection.response().status, 403);
    let event = server.refused("not-over-tls");
    assert_eq!(
        (&event["peer"], &event["detail"]),
        (&"127.0.0.9".into(), &detail.into())
    );
}

#[test]
#[ignore = "needs HAProxy: cargo xtask test balancers"]
fn haproxy_passes_tls_through() {
    let server = passing_through();
    let lines = documented("HAProxy, in `mode tcp`", server.address);
    let balancer = Balancer::haproxy(&server.folder, "tcp", false, &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
}

#[test]
#[ignore = "needs HAProxy: cargo xtask test balancers"]
fn haproxy_ends_tls() {
    let server = ended(Setup::new());
    let lines = documented("HAProxy, in `mode http`", server.address);
    let balancer = Balancer::haproxy(&server.folder, "http", true, &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
    refuses_the_clear(&server, &balancer, "X-Forwarded-Proto is not https");
}

#[test]
#[ignore = "needs HAProxy: cargo xtask test balancers"]
fn haproxy_ends_tls_and_knows_no_http() {
    let server = ended(Setup::new().server(INTRODUCED));
    let lines = documented("HAProxy, in `mode tcp` with TLS", server.address);
    let balancer = Balancer::haproxy(&server.folder, "tcp", true, &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
    refuses_the_clear(&server, &balancer, "the PROXY protocol header says so");
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_ends_tls() {
    let server = ended(Setup::new());
    let lines = documented("nginx, in `http`", server.address);
    let lines = in_folder(&server.folder, &lines);
    let balancer = Balancer::nginx(&server.folder, "http", &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
    refuses_the_clear(&server, &balancer, "X-Forwarded-Proto is not https");
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_passes_tls_through() {
    let server = passing_through();
    let lines = documented("nginx, in `stream`", server.address);
    let balancer = Balancer::nginx(&server.folder, "stream", &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_ends_tls_knows_no_http_and_goes_on_under_tls() {
    let server = passing_through();
    let lines = documented("nginx, in `stream` with TLS", server.address);
    let lines = in_folder(&server.folder, &lines);
    let balancer = Balancer::nginx(&server.folder, "stream", &lines);
    serves(&server, &balancer);
    sees_through_lies(&server, &balancer);
}

#[test]
#[ignore = "needs nginx: cargo xtask test balancers"]
fn nginx_that_knows_no_http_cannot_say_that_a_client_came_over_tls() {
    let server = ended(Setup::new().server(INTRODUCED));
    let lines = documented("nginx, in `stream`", server.address);
    let balancer = Balancer::nginx(&server.folder, "stream", &lines);
    refuses_the_clear(&server, &balancer, "the PROXY protocol header does not say");
}
