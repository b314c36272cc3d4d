//! Whole admissions, and what later happens to the sockets.

mod application;
mod certificate;
mod granted;
mod revoked;

use std::{net::IpAddr, sync::Arc};

use http::{Request, request};
use serde_json::{Value, json};

use super::*;
use crate::{
    admit::Admission,
    caps::{Accepted, CapLimits},
    certificate::{ClientCertificate, Judge},
    credential::COOKIE,
    host::Hosts,
    lease::LeaseStatus,
    origin::AllowedOrigins,
    proxy::Balancers,
    route::{Requirement, RouteKind, Routes},
    token::{
        Algorithm,
        tests::{Hands, NOW, Signer, trusting, with},
    },
};

mod reloaded;

const PAGE: &str = "https://app.example";
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A gate and whoever signs the tokens that it believes.
struct World {
    gate: Gate,
    signer: Signer,
}

fn transport(certificate: Option<&Arc<ClientCertificate>>) -> Transport {
    Transport {
        peer: PEER,
        balancer: None,
        server_name: None,
        certificate: certificate.cloned(),
    }
}

/// Takes certificates with this text in their subject, and no others.
struct Names(&'static str);

impl Judge for Names {
    fn verifies(&self, certificate: &ClientCertificate) -> bool {
        certificate.subject.contains(self.0)
    }
}

impl World {
    fn new() -> Self {
        let signer = Signer::new("k", Algorithm::Es256);
        let gate = Gate::new(GateConfig {
            rules: Self::rules(&signer),
            caps: Caps::new(Self::caps()),
            clock: Hands::at(NOW * 1000),
        });
        Self { gate, signer }
    }

    fn caps() -> CapLimits {
        CapLimits {
            per_ip: 9,
            per_subject: 2,
            unadmitted: 9,
            sessions: 9,
        }
    }

    fn rules(signer: &Signer) -> Rules {
        let route = |path: &str, native_clients| Route {
            path: path.into(),
            kind: RouteKind::Echo,
            anonymous: path == "/open",
            native_clients,
            require: Requirement {
                acr: (path == "/strong").then(|| "mfa".into()),
                client_certificate: path == "/machines",
                ..Requirement::default()
            },
            limits: Arc::default(),
            messages_per_second: 0,
            compression: None,
        };
        Rules {
            hosts: Hosts::new(["app.example"]).unwrap(),
            origins: AllowedOrigins::Listed(vec![Origin::parse(PAGE).unwrap()]),
            routes: Routes::new([
                route("/live", false),
                route("/native", true),
                route("/open", false),
                route("/strong", false),
                route("/machines", true),
            ]),
            issuers: trusting(&[signer]),
            balancers: Balancers::default(),
            certificates: Some(Arc::new(Names("trader"))),
        }
    }

    fn token(&self, changes: Value) -> String {
        self.signer.sign(&with(changes))
    }

    fn place(&self) -> Place {
        match self.gate.caps().accept(PEER) {
            Accepted::Welcome(slot) => Place::new(slot),
            _ => panic!("there is room"),
        }
    }

    async fn enter(&self, path: &str, headers: &[(&str, &str)]) -> Result<Admission, Refusal> {
        self.enter_with(None, path, headers).await
    }

    /// Over a connection that was opened with this certificate.
    async fn enter_with(
        &self,
        certificate: Option<&Arc<ClientCertificate>>,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Admission, Refusal> {
        let transport = transport(certificate);
        let head = handshake(path, headers);
        let mut trail = Trail::default();
        let place = self.place();
        let admitted = self.gate.admit(&head, &transport, &place, &mut trail);
        admitted.await.map(Admitted::into_admission)
    }

    async fn refused(&self, path: &str, headers: &[(&str, &str)]) -> Option<Reason> {
        let outcome = self.enter(path, headers).await;
        outcome.err().map(|refusal| refusal.reason)
    }

    /// A cookie session of a user who signed in with this token.
    async fn sign_in(&self, token: &str) -> String {
        let rules = self.gate.rules();
        let credential = Credential::Bearer(token.into());
        let identity = self.gate.verify(&rules, credential).await;
        let identity = Identity::clone(&identity.unwrap());
        let (secret, _) = self.gate.open_session(identity).unwrap();
        format!("{COOKIE}={}", secret.reveal())
    }

    async fn ticket(&self, path: &str, headers: &[(&str, &str)]) -> Result<String, Reason> {
        self.ticket_with(None, path, headers).await
    }

    async fn ticket_with(
        &self,
        certificate: Option<&Arc<ClientCertificate>>,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<String, Reason> {
        let head = ordinary("POST", headers);
        let transport = transport(certificate);
        let refused = |refusal: Refusal| refusal.reason;
        let checked = self.gate.check(&head, &transport).map_err(refused)?;
        let mut trail = Trail::default();
        let issued = self.gate.issue_ticket(&checked, path, &mut trail).await;
        issued
            .map(|it| format!("wardwire.raw, wardwire.ticket.{}", it.ticket.reveal()))
            .map_err(refused)
    }

    async fn sign_out(&self, cookie: &str) -> usize {
        let head = ordinary("DELETE", &[("origin", PAGE), ("cookie", cookie)]);
        let transport = transport(None);
        let checked = self.gate.check(&head, &transport).unwrap();
        let mut trail = Trail::default();
        self.gate.end_session(&checked, &mut trail).await.unwrap()
    }

    fn status(&self, admission: &Admission) -> LeaseStatus {
        admission.lease.status(self.gate.now())
    }
}

fn ordinary(method: &str, headers: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::builder()
        .method(method)
        .uri("/.wardwire/x")
        .header("host", "app.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn handshake(path: &str, headers: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::builder()
        .uri(path)
        .header("host", "app.example")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn each_credential_needs_the_origin_that_belongs_to_it() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let cookie = world.sign_in(&world.token(json!({}))).await;
    let (page, evil) = (("origin", PAGE), ("origin", "https://evil.example"));
    let (by_token, by_cookie) = (("authorization", &*token), ("cookie", &*cookie));
    let missing = Some(Reason::OriginMissing);
    let table = [
        ("/live", vec![page, by_token], None),
        ("/live", vec![page, by_cookie], None),
        ("/live", vec![by_token], missing),
        ("/live", vec![by_cookie], missing),
        ("/native", vec![by_token], None),
        ("/native", vec![by_cookie], missing),
        (
            "/native",
            vec![evil, by_token],
            Some(Reason::OriginNotAllowed),
        ),
        (
            "/live",
            vec![evil, by_cookie],
            Some(Reason::OriginNotAllowed),
        ),
        ("/live", vec![page], Some(Reason::CredentialMissing)),
        ("/open", vec![page], None),
        ("/open", vec![], missing),
        (
            "/open",
            vec![page, by_token, by_cookie],
            Some(Reason::CredentialConflict),
        ),
        (
            "/open",
            vec![page, ("authorization", "Bearer x")],
            Some(Reason::TokenMalformed),
        ),
        ("/nowhere", vec![page, by_token], Some(Reason::NotFound)),
        (
            "/live?token=x",
            vec![page, by_token],
            Some(Reason::CredentialInUrl),
        ),
    ];
    for (path, headers, expected) in table {
        assert_eq!(
            world.refused(path, &headers).await,
            expected,
            "{path} {headers:?}"
        );
    }
}

#[tokio::test]
async fn a_ticket_opens_its_own_route_for_its_own_page_once() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let cookie = world.sign_in(&world.token(json!({}))).await;
    let page = ("origin", PAGE);
    let issue = async |path, headers: &[(&str, &str)]| world.ticket(path, headers).await;

    let good = issue("/live", &[page, ("authorization", &token)])
        .await
        .unwrap();
    let offer = [page, ("sec-websocket-protocol", &*good)];
    assert!(world.enter("/live", &offer).await.is_ok());
    let unknown = Some(Reason::TicketUnknown);
    assert_eq!(world.refused("/live", &offer).await, unknown);

    let binding = Some(Reason::TicketBinding);
    let native = issue("/native", &[("authorization", &token)])
        .await
        .unwrap();
    let offer = [page, ("sec-websocket-protocol", &*native)];
    assert_eq!(
        world.refused("/native", &offer).await,
        binding,
        "of no page"
    );
    assert_eq!(
        world.refused("/native", &offer[1..]).await,
        unknown,
        "burnt"
    );

    let other = issue("/native", &[page, ("authorization", &token)])
        .await
        .unwrap();
    let offer = [page, ("sec-websocket-protocol", &*other)];
    assert_eq!(
        world.refused("/live", &offer).await,
        binding,
        "another route"
    );

    let of_token = issue("/live", &[page, ("authorization", &token)])
        .await
        .unwrap();
    let offer = [
        page,
        ("sec-websocket-protocol", &*of_token),
        ("cookie", &*cookie),
    ];
    assert_eq!(
        world.refused("/live", &offer).await,
        binding,
        "another session"
    );

    let of_session = issue("/live", &[page, ("cookie", &cookie)]).await.unwrap();
    let offer = [
        page,
        ("sec-websocket-protocol", &*of_session),
        ("cookie", &*cookie),
    ];
    assert!(world.enter("/live", &offer).await.is_ok());
}

#[tokio::test]
async fn a_ticket_falls_with_its_session() {
    let world = World::new();
    let cookie = world.sign_in(&world.token(json!({}))).await;
    let page = ("origin", PAGE);
    let ticket = world
        .ticket("/live", &[page, ("cookie", &cookie)])
        .await
        .unwrap();
    world.sign_out(&cookie).await;
    let offer = [page, ("sec-websocket-protocol", &*ticket)];
    assert_eq!(world.refused("/live", &offer).await, Some(Reason::Revoked));
}

#[tokio::test]
async fn attack_041_signing_in_anew_ends_the_session_that_was_there() {
    let world = World::new();
    let cookie = world.sign_in(&world.token(json!({}))).await;
    let headers = [("origin", PAGE), ("cookie", &*cookie)];
    let socket = world.enter("/live", &headers).await.ok().unwrap();
    let head = ordinary("POST", &headers);
    let transport = transport(None);
    let checked = world.gate.check(&head, &transport).unwrap();
    assert_eq!(world.gate.forget_session(&checked), Some(1));
    assert_eq!(world.gate.forget_session(&checked), None, "once");
    let ended = LeaseStatus::Ended(EndReason::LoggedOut);
    assert_eq!(world.status(&socket), ended);
    let refused = world.refused("/live", &headers).await;
    assert_eq!(refused, Some(Reason::SessionUnknown));
}

#[tokio::test]
async fn a_refreshed_socket_still_ends_at_sign_out() {
    let world = World::new();
    let cookie = world.sign_in(&world.token(json!({}))).await;
    let headers = [("origin", PAGE), ("cookie", &*cookie)];
    let socket = world.enter("/live", &headers).await.ok().unwrap();
    let later = world.token(json!({"exp": NOW + 900}));
    let fresh = world.gate.refresh(&socket.lease, &later).await.unwrap();
    assert_eq!(fresh.until, Timestamp::from_secs(NOW + 900));
    assert_eq!(world.sign_out(&cookie).await, 1);
    let ended = LeaseStatus::Ended(EndReason::LoggedOut);
    assert_eq!(world.status(&socket), ended);
}

#[tokio::test]
async fn attack_077_another_subject_tenant_or_session_ends_the_refresh() {
    let world = World::new();
    let token = bearer(&world.token(json!({"tid": "t1", "sid": "s1"})));
    let headers = [("origin", PAGE), ("authorization", &*token)];
    let socket = world.enter("/live", &headers).await.ok().unwrap();
    for (changes, same) in [
        (json!({"tid": "t1", "sid": "s1", "exp": NOW + 900}), true),
        (json!({"tid": "t1", "exp": NOW + 900}), true),
        (json!({"tid": "t2", "sid": "s1"}), false),
        (json!({"sid": "s1"}), false),
        (json!({"tid": "t1", "sid": "s2"}), false),
        (json!({"tid": "t1", "sid": "s1", "sub": "bob"}), false),
    ] {
        let token = world.token(changes.clone());
        let outcome = world.gate.refresh(&socket.lease, &token).await;
        assert_eq!(outcome.is_ok(), same, "{changes}");
        if !same {
            assert_eq!(outcome.err(), Some(RefreshError::OtherSubject));
        }
    }
}

#[test]
fn a_token_in_a_path_is_not_written_down() {
    let path = |uri: &str| {
        let head = handshake(uri, &[]);
        Trail::begin(1, PEER, &head).path.unwrap()
    };
    assert_eq!(&*path("/live?token=x"), "/live");
    assert_eq!(&*path("/live/eyJh.eyJz.c2ln"), "(holds a token)");
    assert_eq!(&*path("/%65yJh.eyJz.c2ln/x"), "(holds a token)");
}

#[tokio::test]
async fn a_subject_has_so_many_sockets_and_a_draining_gate_admits_nobody() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let headers = [("origin", PAGE), ("authorization", &*token)];
    let held = [
        world.enter("/live", &headers).await.ok().unwrap(),
        world.enter("/live", &headers).await.ok().unwrap(),
    ];
    let refused = world.refused("/live", &headers).await;
    assert_eq!(refused, Some(Reason::TooManyOfSubject));
    assert_eq!(world.gate.drain(), 2);
    let restart = LeaseStatus::Ended(EndReason::Restart);
    assert!(held.iter().all(|socket| world.status(socket) == restart));
    let refused = world.refused("/live", &headers).await;
    assert_eq!(refused, Some(Reason::Draining));
    drop(held);
    assert_eq!(world.gate.leases().count(), 0);
}
