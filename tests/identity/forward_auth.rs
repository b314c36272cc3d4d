//! Sessions of the application: what it says of its cookies opens sockets and ends them, and it is shown nothing else.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    attacks::refused,
    harness::{
        Handshake, KeyServer, ORIGIN as OURS, PATIENCE, Response, Server, Setup, now, response,
    },
};

/// A backend with a sign-in of its own, over plain HTTP on this machine.
pub(super) struct Application {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// What is answered by `Cookie`. Everybody else is nobody.
    sessions: Mutex<HashMap<String, String>>,
    heard: Mutex<Vec<String>>,
    /// What is left waiting: requests that hold this.
    held: Mutex<Option<&'static str>>,
    released: Condvar,
}

impl Application {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/whoami", self.address)
    }

    /// Sets what it says of whoever brings this `Cookie`.
    fn answers(&self, cookie: &str, response: String) {
        let mut sessions = self.state.sessions.lock().unwrap();
        sessions.insert(cookie.into(), response);
    }

    pub(super) fn knows(&self, cookie: &str, claims: &Value) {
        self.answers(cookie, response("200 OK", "", &claims.to_string()));
    }

    fn forgets(&self, cookie: &str) {
        self.state.sessions.lock().unwrap().remove(cookie);
    }

    /// The requests that came, as they came.
    fn heard(&self) -> Vec<String> {
        self.state.heard.lock().unwrap().clone()
    }

    fn asked(&self) -> usize {
        self.heard().len()
    }

    /// How often it was asked about this `Cookie`.
    pub(super) fn asked_about(&self, cookie: &str) -> usize {
        let line = format!("cookie: {cookie}\r\n");
        let heard = self.heard();
        heard.iter().filter(|it| it.contains(&line)).count()
    }

    pub(super) fn hold(&self, held: Option<&'static str>) {
        *self.state.held.lock().unwrap() = held;
        self.state.released.notify_all();
    }

    /// A server that asks it, with these lines more under `[forward_auth]`.
    fn asked_by(&self, mut setup: Setup, more: &str) -> Server {
        setup.issuers = format!(
            "[[issuer]]\nissuer = \"https://id.test\"\nname = \"id\"\naudience = \"wardwire\"\njwks_file = \"jwks.json\"\n\
             [forward_auth]\nname = \"app\"\nurl = \"{}\"\ncookies = [\"sid\", \"sid.sig\"]\n{more}\n",
            self.url()
        );
        setup.start()
    }
}

fn serve(mut stream: TcpStream, state: &State) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => request.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8(request).unwrap();
    state.heard.lock().unwrap().push(text.clone());
    let held = state.held.lock().unwrap();
    let is_held = |held: &mut Option<&str>| held.is_some_and(|it| text.contains(it));
    drop(state.released.wait_while(held, is_held).unwrap());
    let mut lines = text.lines();
    let cookie = lines.find_map(|line| line.strip_prefix("cookie: "));
    let sessions = state.sessions.lock().unwrap();
    let known = cookie.and_then(|it| sessions.get(it)).cloned();
    let answer = known.unwrap_or_else(|| response("401 Unauthorized", "", ""));
    let _ = stream.write_all(answer.as_bytes());
}

/// Never kept.
const ANEW: &str = "cache = \"0s\"";
/// Kept for longer than any test takes.
const KEPT: &str = "cache = \"5m\"";
/// Asked again all the time.
const AGAIN: &str = "cache = \"0s\"\nrecheck = \"1s\"";

pub(super) fn started(more: &str) -> (Application, Server) {
    let application = Application::start();
    application.knows("sid=a", &json!({ "sub": "alice", "rooms": ["lobby"] }));
    application.knows("sid=b", &json!({ "sub": "bob", "sid": "bobs" }));
    let server = application.asked_by(Setup::new(), more);
    (application, server)
}

pub(super) fn page(cookie: &str) -> Handshake {
    Handshake::new("/live").origin(OURS).with("Cookie", cookie)
}

/// Waits for it.
pub(super) fn until(so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn ask(server: &Server, method: &str, path: &str, fields: &str, body: &str) -> Response {
    let mut connection = server.connect();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    connection.send(request.as_bytes());
    connection.response()
}

#[test]
fn whom_the_application_knows_gets_a_socket_with_their_rights_and_a_name_of_their_own() {
    let (_application, server) = started(ANEW);
    let mut alice = server.open(page("theme=dark; sid=a"));
    alice.ok("publish", json!({ "channel": "chat/lobby", "data": "hi" }));
    let mut bob = server.open(page("sid=b"));
    bob.fails("subscribe", json!({ "channel": "chat/lobby" }), -32001);
    let event = server.audited(|event| event["event"] == "admission");
    assert_eq!(event["credential"], "forward_auth");
    assert_eq!(event["subject"], "alice");
    assert!(event["issuer"].as_str().unwrap().ends_with("/whoami"));
    // An issuer's alice is somebody else.
    let token = server
        .issuer
        .token("alice")
        .claim("rooms", json!(["lobby"]))
        .mint();
    let mut other = server.open(Handshake::new("/native").bearer(&token));
    let got = other.ok(
        "subscribe",
        json!({ "channel": "chat/lobby", "recover": { "limit": 10 } }),
    );
    assert!(!got.to_string().contains("\"from\":\"alice\""), "{got}");
    alice.ok(
        "publish",
        json!({ "channel": "chat/lobby", "data": "again" }),
    );
    let heard = other.json();
    assert_eq!(heard["params"]["from"], "app:alice", "{heard}");
}

#[test]
fn attack_083_the_application_is_shown_what_is_listed_and_nothing_else() {
    let (application, server) = started("cache = \"0s\"\nheaders = [\"X-Device\", \"User-Agent\"]");
    application.knows("sid=a; sid.sig=z", &json!({ "sub": "alice" }));
    let handshake = page("theme=dark; sid.sig=z; sid=a; __Host-other=1; xsid=2")
        .with("X-Device", "phone")
        .with("X-Device", "tablet")
        .with("User-Agent", "Browser/1")
        .with("X-Forwarded-For", "10.0.0.1")
        .with("X-Forwarded-User", "root")
        .with("Accept-Language", "en")
        .with("X-Secret", "s");
    server.open(handshake);
    let heard = application.heard();
    let [request] = &*heard else {
        panic!("{heard:?}")
    };
    let mut lines: Vec<_> = request.trim_end().lines().collect();
    lines.sort_unstable();
    let host = format!("host: {}", application.address);
    let mut expected = vec![
        "GET /whoami HTTP/1.1",
        "accept: application/json",
        "cookie: sid=a; sid.sig=z",
        &host,
        "user-agent: Browser/1",
        "x-device: phone",
        "x-device: tablet",
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn who_is_nobody_gets_401() {
    let (application, server) = started(ANEW);
    application.answers("sid=none", response("204 No Content", "", ""));
    for cookie in ["sid=invented", "sid=none", "sid="] {
        let response = refused(&server, &page(cookie), 401, "session-unknown");
        assert_eq!(
            response.header("www-authenticate"),
            "Bearer error=\"invalid_token\""
        );
    }
    refused(&server, &page("theme=dark"), 401, "credential-missing");
    application.knows("sid=old", &json!({ "sub": "alice", "exp": now() - 1 }));
    refused(&server, &page("sid=old"), 401, "token-expired");
}

#[test]
fn attack_040_what_is_no_answer_of_the_application_opens_nothing() {
    let (application, server) = started(ANEW);
    let good = json!({ "sub": "alice" }).to_string();
    let pad = json!({ "sub": "alice", "pad": "x".repeat(16 * 1024) }).to_string();
    for answer in [
        response("500 Oops", "", &good),
        response("403 Forbidden", "", ""),
        response("404 Not Found", "", &good),
        response("201 Created", "", &good),
        response("302 Found", "Location: https://evil.example/\r\n", &good),
        response("307 Temporary", "Location: /whoami\r\n", ""),
        response("200 OK", "", ""),
        response("200 OK", "", "{}"),
        response("200 OK", "", "[\"alice\"]"),
        response("200 OK", "", "{\"sub\":\"alice\",\"sub\":\"bob\"}"),
        response("200 OK", "", "{\"sub\":1}"),
        response(
            "200 OK",
            "",
            "{\"sub\":\"alice\",\"iss\":\"https://id.test\"}",
        ),
        response("200 OK", "", "<html>alice</html>"),
        response("200 OK", "", &pad),
        response("200 OK", "", &"x".repeat(300 * 1024)),
        "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"sub\":\"alice\"}".to_owned(),
        "not even HTTP".to_owned(),
    ] {
        application.answers("sid=x", answer);
        let response = refused(&server, &page("sid=x"), 503, "provider-unavailable");
        assert_ne!(response.header("retry-after"), "");
    }
    application.answers("sid=x", response("200 OK", "", &good));
    server.open(page("sid=x"));
}

#[test]
fn attack_040_an_application_that_is_silent_holds_nobody_for_long() {
    let application = Application::start();
    application.knows("sid=a", &json!({ "sub": "alice" }));
    let setup = Setup::new().limits("handshake = \"2s\"\n");
    let server = application.asked_by(setup, "cache = \"0s\"\ntimeout = \"200ms\"");
    application.hold(Some(""));
    refused(&server, &page("sid=a"), 503, "provider-unavailable");
    application.hold(None);
    server.open(page("sid=a"));
}

#[test]
fn an_answer_is_kept_for_a_moment_and_no_longer_than_its_end() {
    let (application, server) = started(KEPT);
    for _ in 0..3 {
        server.open(page("sid=a"));
        refused(&server, &page("sid=no"), 401, "session-unknown");
    }
    assert_eq!(application.asked(), 2);
    application.knows("sid=short", &json!({ "sub": "alice", "exp": now() + 5 }));
    server.open(page("sid=short")).closes(3000, "expired");
    refused(&server, &page("sid=short"), 401, "token-expired");
    assert_eq!(application.asked(), 3);
}

#[test]
fn attack_078_signing_out_at_the_application_ends_sockets_and_tickets() {
    let (application, server) = started(AGAIN);
    let mut tabs = [server.open(page("sid=a")), server.open(page("sid=a"))];
    let mut bob = server.open(page("sid=b"));
    let fields = format!("Origin: {OURS}\r\nCookie: sid=a\r\n");
    let got = ask(
        &server,
        "POST",
        "/.wardwire/tickets",
        &fields,
        "{\"route\":\"/live\"}",
    );
    assert_eq!(got.status, 201, "{got:?}");
    application.forgets("sid=a");
    for tab in &mut tabs {
        tab.closes(3000, "revoked");
    }
    let event = server.audited(|event| event["event"] == "lapse");
    assert_eq!(
        (&event["subject"], &event["reason"], &event["ended"]),
        (&json!("alice"), &json!("session-unknown"), &json!(2))
    );
    let ticket = got.json()["ticket"].as_str().unwrap().to_owned();
    let by_ticket = Handshake::new("/live").origin(OURS).ticket(&ticket);
    refused(&server, &by_ticket, 401, "revoked");
    refused(&server, &page("sid=a"), 401, "session-unknown");
    bob.ok("ping", json!({}));
    server.assert_unlogged(&["sid=a", "sid=b"]);
}

#[test]
fn attack_040_an_application_that_stays_silent_ends_open_sockets() {
    let (application, server) = started(AGAIN);
    let mut alice = server.open(page("sid=a"));
    application.answers("sid=a", response("500 Oops", "", ""));
    alice.closes(3000, "revoked");
    let event = server.audited(|event| event["event"] == "lapse");
    assert_eq!(event["reason"], "provider-unavailable");
}

#[test]
fn a_session_that_becomes_somebody_elses_ends_its_sockets() {
    let (application, server) = started(AGAIN);
    let mut alice = server.open(page("sid=a"));
    application.knows("sid=a", &json!({ "sub": "bob" }));
    alice.closes(3000, "revoked");
}

#[test]
fn a_session_that_is_two_peoples_by_turns_ends_the_sockets_of_both() {
    let (application, server) = started("cache = \"0s\"\nrecheck = \"3s\"");
    // Several, as nobody says in which order sockets are looked at.
    let mut sockets = Vec::new();
    for n in 0..8 {
        let cookie = format!("sid=shared{n}");
        for subject in ["alice", "bob"] {
            application.knows(&cookie, &json!({ "sub": format!("{subject}{n}") }));
            sockets.push(server.open(page(&cookie)));
        }
    }
    for socket in &mut sockets {
        socket.closes(3000, "revoked");
    }
}

#[test]
fn attack_061_questions_about_strangers_keep_nobody_from_being_asked_about_open_sockets() {
    let (application, server) = started("cache = \"0s\"\nrecheck = \"1s\"\ntimeout = \"5s\"");
    let mut alice = server.open(page("sid=a"));
    application.hold(Some("sid=slow"));
    let strangers: Vec<_> = (0..48)
        .map(|n| {
            let mut stranger = server.connect();
            stranger.send(page(&format!("sid=slow{n}")).text().as_bytes());
            stranger
        })
        .collect();
    let slow = || {
        application
            .heard()
            .iter()
            .filter(|it| it.contains("sid=slow"))
            .count()
    };
    until(|| slow() == 32);
    let before = application.asked_about("sid=a");
    until(|| application.asked_about("sid=a") > before);
    let given_up = |event: &Value| event["reason"] == "provider-unavailable";
    assert!(!server.audit().iter().any(given_up), "only then");
    alice.ok("ping", json!({}));
    drop(strangers);
}

#[test]
fn attack_061_many_sessions_that_the_application_does_not_answer_for_end_and_nobody_elses() {
    let application = Application::start();
    application.knows("sid=a", &json!({ "sub": "alice" }));
    let caps = "connections_per_ip = 1000\nconnections_per_subject = 1000\n";
    let times = "cache = \"0s\"\nrecheck = \"2s\"\ntimeout = \"200ms\"";
    let server = application.asked_by(Setup::new().limits(caps), times);
    // More than it can be asked about in that time.
    let cookies: Vec<_> = (0..200).map(|n| format!("sid=slow{n}")).collect();
    let claims = json!({ "sub": "mallory" });
    let open = |cookie: &String| {
        application.knows(cookie, &claims);
        server.open(page(cookie))
    };
    let mallorys: Vec<_> = cookies.iter().map(open).collect();
    let mut alice = server.open(page("sid=a"));
    application.hold(Some("sid=slow"));
    for mut socket in mallorys {
        socket.closes(3000, "revoked");
    }
    alice.ok("ping", json!({}));
    let lapsed: Vec<_> = server
        .audit()
        .into_iter()
        .filter(|event| event["event"] == "lapse")
        .collect();
    let is_mallorys =
        |event: &Value| event["subject"] == "mallory" && event["reason"] == "provider-unavailable";
    assert!(lapsed.iter().all(is_mallorys));
}

#[test]
fn attack_061_sessions_that_the_application_chokes_on_keep_nobody_else_from_being_asked_about() {
    let (application, server) = started(AGAIN);
    let cookies: Vec<_> = (0..16).map(|n| format!("sid=m{n}")).collect();
    for cookie in &cookies {
        application.knows(cookie, &json!({ "sub": "mallory" }));
    }
    let _mallory: Vec<_> = cookies.iter().map(|it| server.open(page(it))).collect();
    let mut alice = server.open(page("sid=a"));
    let pad = json!({ "sub": "mallory", "rooms": ["x".repeat(16 * 1024)] });
    for cookie in &cookies {
        application.knows(cookie, &pad);
    }
    let before = application.asked_about("sid=a");
    until(|| application.asked_about("sid=a") > before + 2);
    alice.ok("ping", json!({}));
}

#[test]
fn attack_040_cookies_that_the_application_chokes_on_shut_nobody_else_out() {
    let (application, server) = started(ANEW);
    let often = |answer: String| {
        application.answers("sid=x", answer);
        for _ in 0..40 {
            let mut connection = server.connect();
            connection.send(page("sid=x").text().as_bytes());
            assert_eq!(connection.response().status, 503);
        }
    };
    for answer in [
        response("400 Bad Request", "", ""),
        response("500 Oops", "", ""),
        response("302 Found", "Location: /password\r\n", ""),
        response("200 OK", "", &"x".repeat(300 * 1024)),
    ] {
        often(answer);
        server.open(page("sid=a"));
    }
    // Who says nothing, or that nobody can be asked now, is left alone for a moment.
    for answer in [response("503 Busy", "", ""), "no HTTP".to_owned()] {
        let before = application.asked();
        often(answer);
        assert!(application.asked() - before < 40);
    }
}

#[test]
fn revoking_a_subject_or_a_session_of_the_applications_ends_its_sockets() {
    let (application, server) = started(KEPT);
    let (mut alice, mut bob) = (server.open(page("sid=a")), server.open(page("sid=b")));
    for (what, id, socket, cookie) in [
        ("subject", "alice", &mut alice, "sid=a"),
        ("session", "bobs", &mut bob, "sid=b"),
    ] {
        let body = json!({ "issuer": application.url(), what: id }).to_string();
        let ended = server.admin("POST", "/revocations", &body).json();
        assert_eq!(ended, json!({ "ended": 1 }));
        socket.closes(3000, "revoked");
        let before = application.asked();
        refused(&server, &page(cookie), 401, "revoked");
        assert_eq!(application.asked(), before + 1, "what it said is forgotten");
    }
}

#[test]
fn a_session_can_be_signed_out_of_here() {
    let (_application, server) = started(KEPT);
    let (mut alice, mut bob) = (server.open(page("sid=a")), server.open(page("sid=b")));
    let fields = "Cookie: sid=a\r\n";
    assert_eq!(
        ask(&server, "DELETE", "/.wardwire/session", fields, "").status,
        403,
        "from no page"
    );
    server.refused("origin-missing");
    let fields = format!("Origin: {OURS}\r\nCookie: sid=a\r\n");
    let out = ask(&server, "DELETE", "/.wardwire/session", &fields, "");
    assert_eq!(out.status, 204, "{out:?}");
    alice.closes(3000, "logged-out");
    bob.ok("ping", json!({}));
    refused(&server, &page("sid=a"), 401, "revoked");
}

#[test]
fn attack_022_a_page_that_may_not_connect_has_nobody_asked() {
    let (application, server) = started(ANEW);
    let foreign = page("sid=a").origin("https://evil.example");
    refused(&server, &foreign, 403, "origin-not-allowed");
    let nowhere = page("sid=a").without("Origin");
    refused(&server, &nowhere, 403, "origin-missing");
    // Nor on a route that takes programs: a browser attaches cookies by itself.
    let native = Handshake::new("/native").with("Cookie", "sid=a");
    refused(&server, &native, 403, "origin-missing");
    let fields = "Cookie: sid=a\r\n";
    let ticket = ask(
        &server,
        "POST",
        "/.wardwire/tickets",
        fields,
        "{\"route\":\"/live\"}",
    );
    assert_eq!(ticket.status, 403);
    assert_eq!(application.asked(), 0);
}

#[test]
fn a_ticket_stands_beside_the_cookie_it_was_got_with_and_beside_no_other() {
    let (_application, server) = started(ANEW);
    let ticket = |cookie: &str| {
        let fields = format!("Origin: {OURS}\r\nCookie: {cookie}\r\n");
        let got = ask(
            &server,
            "POST",
            "/.wardwire/tickets",
            &fields,
            "{\"route\":\"/live\"}",
        );
        assert_eq!(got.status, 201, "{got:?}");
        got.json()["ticket"].as_str().unwrap().to_owned()
    };
    server.open(page("sid=a").ticket(&ticket("sid=a")));
    refused(
        &server,
        &page("sid=b").ticket(&ticket("sid=a")),
        401,
        "ticket-binding",
    );
    let token = server.issuer.token("carol").mint();
    let bearers = crate::attacks::ticket(&server, &token, "/live", Some(OURS));
    refused(
        &server,
        &page("sid=a").ticket(&bearers),
        401,
        "ticket-binding",
    );
}

#[test]
fn two_credentials_or_two_cookies_of_a_name_are_an_error() {
    let (application, server) = started(ANEW);
    let token = server.issuer.token("alice").mint();
    refused(
        &server,
        &page("sid=a").bearer(&token),
        400,
        "credential-conflict",
    );
    let own = format!("sid=a; __Host-wardwire={}", "A".repeat(43));
    refused(&server, &page(&own), 400, "credential-conflict");
    refused(&server, &page("sid=a; sid=b"), 400, "credential-conflict");
    refused(
        &server,
        &page("sid=a").with("Cookie", "sid=a"),
        400,
        "credential-conflict",
    );
    assert_eq!(application.asked(), 0);
}

#[test]
fn attack_083_no_cookie_begins_a_line_of_its_own() {
    let (application, server) = started("cache = \"0s\"\nheaders = [\"X-Device\"]");
    for cookie in ["sid=\u{e9}", "sid=a\tb", "sid=\u{85}x"] {
        refused(&server, &page(cookie), 401, "credential-malformed");
    }
    for value in ["sid=a\rX-Device: root", "sid=a\nX-Device: root", "sid=a\0"] {
        let before = server.audit().len();
        let mut connection = server.connect();
        connection.send(page(value).text().as_bytes());
        let status = connection.response().status;
        assert_eq!(status, 400, "{value:?}");
        server.refused_since(before, "malformed-head");
    }
    let long = format!("sid={}", "x".repeat(9000));
    refused(&server, &page(&long), 431, "token-too-large");
    assert_eq!(application.asked(), 0);
    // What looks like more is one value.
    refused(
        &server,
        &page("sid=a%0d%0aX-Device:root"),
        401,
        "session-unknown",
    );
    let heard = application.heard().concat().to_lowercase();
    assert!(
        heard.contains("cookie: sid=a%0d%0ax-device:root\r\n"),
        "{heard}"
    );
    assert!(!heard.contains("\nx-device"), "{heard}");
}

#[test]
fn over_tls_it_is_asked_by_its_own_authority() {
    let mut setup = Setup::new();
    let application = KeyServer::start(&setup);
    application.answer(response("200 OK", "", "{\"sub\":\"alice\"}"));
    setup.issuers = format!(
        "[forward_auth]\nname = \"app\"\nurl = \"{}/me\"\ncookies = [\"sid\"]\nca = \"ca.pem\"\n",
        application.url()
    );
    let server = setup.start();
    server.open(page("sid=a"));
    assert_eq!(application.asked(), 1);
}

crate::harness::over_http2![
    whom_the_application_knows_gets_a_socket_with_their_rights_and_a_name_of_their_own,
    attack_083_the_application_is_shown_what_is_listed_and_nothing_else,
    who_is_nobody_gets_401,
    attack_040_what_is_no_answer_of_the_application_opens_nothing,
    attack_040_an_application_that_is_silent_holds_nobody_for_long,
    an_answer_is_kept_for_a_moment_and_no_longer_than_its_end,
    attack_078_signing_out_at_the_application_ends_sockets_and_tickets,
    attack_040_an_application_that_stays_silent_ends_open_sockets,
    a_session_that_becomes_somebody_elses_ends_its_sockets,
    revoking_a_subject_or_a_session_of_the_applications_ends_its_sockets,
    a_session_can_be_signed_out_of_here,
    attack_022_a_page_that_may_not_connect_has_nobody_asked,
    a_ticket_stands_beside_the_cookie_it_was_got_with_and_beside_no_other,
    two_credentials_or_two_cookies_of_a_name_are_an_error,
];
