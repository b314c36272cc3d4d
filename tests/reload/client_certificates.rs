//! What is demanded of client certificates, and when it is something else.

use std::fs;

use serde_json::json;

use super::{Authority as Servers, replace, until};
use crate::harness::{Authority, Client, Connection, Handshake, Server, Setup, Ws, tcp};

const BOTH: [&rustls::SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];
const UNWATCHED: &str = "watch = false";
const LISTEN: &str = "listen = \"127.0.0.1:0\"\nca = ";

/// Its lists revoke nobody.
fn demanding(authority: &Authority, server: &str) -> Setup {
    let mut setup = Setup::new().server(server);
    fs::write(setup.folder.join("clients-ca.pem"), authority.pem()).unwrap();
    fs::write(setup.folder.join("clients.crl"), authority.revoke(&[], 600)).unwrap();
    setup.rest.push_str(&format!(
        "[server.client_certificates]\n{LISTEN}\"clients-ca.pem\"\ncrl = [\"clients.crl\"]\n"
    ));
    setup
}

fn with_serial(authority: &Authority, serial: u64) -> Client {
    authority.certify("trader.example.com", |params| {
        params.serial_number = Some(serial.into());
    })
}

/// Agrees on TLS, and says nothing yet.
fn connect(server: &Server, client: &Client) -> Connection {
    let tcp = tcp(server.mutual.unwrap());
    Connection::through(tcp, client.tls(server, &BOTH), "localhost")
}

fn ask(server: &Server, connection: &mut Connection) -> Option<u16> {
    let token = server.issuer.token("trader").mint();
    connection.send(Handshake::new("/native").bearer(&token).text().as_bytes());
    connection.try_response().map(|response| response.status)
}

fn open(server: &Server, client: &Client) -> Ws {
    let mut connection = connect(server, client);
    assert_eq!(ask(server, &mut connection), Some(101));
    Ws::new(connection)
}

fn revoke(server: &Server, authority: &Authority, serials: &[u64]) {
    let list = authority.revoke(serials, 600);
    replace(&server.folder.join("clients.crl"), &list);
}

#[test]
fn once_a_reload_has_answered_no_certificate_counts_that_its_lists_revoke() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, UNWATCHED).start();
    let (goes, stays) = (with_serial(&authority, 7), with_serial(&authority, 8));
    let mut ends = open(&server, &goes);
    let mut other = open(&server, &stays);
    let mut early = connect(&server, &goes);
    let token = server.issuer.token("trader").mint();
    let body = json!({ "route": "/native" }).to_string();
    let request = format!(
        "POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    early.send(request.as_bytes());
    assert_eq!(early.response().status, 201, "TLS is agreed");
    revoke(&server, &authority, &[7]);
    let answer = server.reloaded();
    assert_eq!(answer["changed"], json!(["server.client_certificates.crl"]));
    assert_eq!(answer["ended"]["sockets"], 1);
    ends.closes(3000, "revoked");
    let before = server.audit().len();
    assert_eq!(ask(&server, &mut early), Some(403));
    server.refused_since(before, "certificate-refused");
    let before = server.audit().len();
    assert_eq!(ask(&server, &mut connect(&server, &goes)), None);
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "it was revoked");
    other.ok("ping", json!({}));
    open(&server, &stays);
}

#[test]
fn a_list_of_which_only_the_file_changes_is_taken_by_itself() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "").start();
    let client = with_serial(&authority, 7);
    let mut ends = open(&server, &client);
    revoke(&server, &authority, &[7]);
    server.until_reloads("reloaded", 1);
    ends.closes(3000, "revoked");
    assert_eq!(ask(&server, &mut connect(&server, &client)), None);
}

#[test]
fn a_list_that_is_out_of_date_changes_nothing() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, UNWATCHED).start();
    let mut ws = open(&server, &with_serial(&authority, 7));
    let list = authority.revoke(&[7], 0);
    replace(&server.folder.join("clients.crl"), &list);
    let answer = server.reload();
    assert_eq!(answer.status, 422, "{answer:?}");
    let message = answer.json()["problems"][0]["message"].to_string();
    assert!(message.contains("out of date"), "{message}");
    ws.ok("ping", json!({}));
    open(&server, &with_serial(&authority, 8));
}

#[test]
fn other_authorities_and_other_names_are_asked_of_open_sockets_too() {
    let (authority, another) = (Authority::new("clients"), Authority::new("another"));
    let server = demanding(&authority, UNWATCHED).start();
    let client = with_serial(&authority, 7);
    let mut named = open(&server, &client);
    server.edit(
        "crl = [\"clients.crl\"]\n",
        "names = [\"other.example.com\"]\n",
    );
    let answer = server.reloaded();
    assert_eq!(answer["ended"]["sockets"], 1, "{answer}");
    named.closes(3000, "revoked");
    server.edit("names = [\"other.example.com\"]\n", "");
    server.reloaded();
    let mut issued = open(&server, &client);
    replace(&server.folder.join("clients-ca.pem"), &another.pem());
    let answer = server.reloaded();
    assert_eq!(answer["changed"], json!(["server.client_certificates.ca"]));
    issued.closes(3000, "revoked");
    open(&server, &with_serial(&another, 1));
}

#[test]
fn where_the_table_is_gone_nobody_comes_by_its_listener() {
    let authority = Authority::new("clients");
    let setup = demanding(&authority, UNWATCHED);
    let at = setup.rest.find("[server.client_certificates]").unwrap();
    let table = setup.rest[at..].to_owned();
    let server = setup.start();
    let client = with_serial(&authority, 7);
    let mut ws = open(&server, &client);
    server.edit(&table, "");
    let answer = server.reloaded();
    assert_eq!(
        answer["needs_restart"],
        json!(["server.client_certificates.listen"])
    );
    ws.closes(3000, "revoked");
    let mut tcp = tcp(server.mutual.unwrap());
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let config = client.tls(&server, &BOTH).into();
    let mut session = rustls::ClientConnection::new(config, name).unwrap();
    assert!(session.complete_io(&mut tcp).is_err());
    server.socket("alice").ok("ping", json!({}));
}

#[test]
fn the_server_proves_itself_there_by_its_newest_certificate() {
    let authority = Authority::new("clients");
    let setup = demanding(&authority, UNWATCHED);
    let (servers, _) = Servers::over(&setup.folder);
    let server = setup.start();
    let client = with_serial(&authority, 7);
    let second = servers.sign(&["localhost"]);
    second.put(&server.folder, "cert.pem", "key.pem");
    server.reloaded();
    let mut tcp = tcp(server.mutual.unwrap());
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let config = client.tls(&server, &BOTH).into();
    let mut session = rustls::ClientConnection::new(config, name).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut tcp).unwrap();
    }
    assert!(session.peer_certificates().unwrap()[0].as_ref() == second.der);
}

#[test]
fn a_pipe_in_a_files_place_is_refused_and_holds_up_no_reload() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "").start();
    let lay = |name: &str| {
        let pipe = server.folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        fs::rename(&pipe, server.folder.join(name)).unwrap();
    };
    // What needs a restart is judged at each reload all the same.
    lay("admin.token");
    let answer = server.reload();
    assert_eq!(answer.status, 422, "{answer:?}");
    replace(&server.folder.join("admin.token"), &server.admin_token);
    lay("clients.crl");
    server.until_reloads("refused", 2);
    assert_eq!(server.reload().status, 422);
    revoke(&server, &authority, &[7]);
    until("the list after it", || {
        ask(&server, &mut connect(&server, &with_serial(&authority, 7))).is_none()
    });
}
