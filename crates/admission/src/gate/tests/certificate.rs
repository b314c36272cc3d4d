//! Client certificates: what routes and tokens ask of them, and that no socket outlives one.

use super::*;
use crate::certificate::Thumbprint;

/// base64url of the SHA-256 of `a`, and of `b`.
const OF_A: &str = "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs";
const OF_B: &str = "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0";

/// The certificate `a` or `b`, until so many seconds from now.
fn certificate(der: &str, seconds: u64) -> Arc<ClientCertificate> {
    Arc::new(ClientCertificate {
        thumbprint: Thumbprint::of(der.as_bytes()),
        subject: "CN=trader".into(),
        names: Box::default(),
        serial: "01".into(),
        chain: Box::default(),
        demand: 0,
        expires_at: Timestamp::from_secs(NOW + seconds),
    })
}

/// A token that is bound to this certificate.
fn bound(world: &World, thumbprint: &str) -> String {
    world.token(json!({"cnf": {"x5t#S256": thumbprint}}))
}

#[tokio::test]
async fn attack_039_a_token_bound_to_a_certificate_counts_with_that_one_only() {
    let world = World::new();
    let token = bearer(&bound(&world, OF_A));
    let headers = [("authorization", &*token)];
    let (a, b) = (certificate("a", 900), certificate("b", 900));
    for (shown, expected) in [
        (Some(&a), None),
        (Some(&b), Some(Reason::TokenBinding)),
        (None, Some(Reason::TokenBinding)),
    ] {
        let outcome = world.enter_with(shown, "/native", &headers).await;
        assert_eq!(outcome.err().map(|it| it.reason), expected, "{shown:?}");
        let ticket = world.ticket_with(shown, "/native", &headers).await;
        assert_eq!(ticket.err(), expected, "{shown:?}");
    }
}

#[tokio::test]
async fn attack_039_neither_a_ticket_nor_a_session_frees_a_token_from_its_certificate() {
    let world = World::new();
    let token = bound(&world, OF_A);
    let (a, b) = (certificate("a", 900), certificate("b", 900));
    let authorization = bearer(&token);
    let headers = [("authorization", &*authorization)];
    for (shown, expected) in [
        (Some(&a), None),
        (Some(&b), Some(Reason::TokenBinding)),
        (None, Some(Reason::TokenBinding)),
    ] {
        let ticket = world.ticket_with(Some(&a), "/native", &headers).await;
        let ticket = ticket.unwrap();
        let offer = [("sec-websocket-protocol", &*ticket)];
        let outcome = world.enter_with(shown, "/native", &offer).await;
        assert_eq!(outcome.err().map(|it| it.reason), expected, "{shown:?}");
    }
    let cookie = world.sign_in(&token).await;
    let headers = [("origin", PAGE), ("cookie", &*cookie)];
    assert!(world.enter_with(Some(&a), "/live", &headers).await.is_ok());
    let refused = world.refused("/live", &headers).await;
    assert_eq!(refused, Some(Reason::TokenBinding));
}

#[tokio::test]
async fn a_route_for_certificates_takes_no_connection_without_one_and_a_certificate_is_no_credential()
 {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let a = certificate("a", 900);
    let with_token = [("authorization", &*token)];
    let refused = world.refused("/machines", &with_token).await;
    assert_eq!(refused, Some(Reason::CertificateRequired));
    assert_eq!(
        world.ticket("/machines", &with_token).await.err(),
        Some(Reason::CertificateRequired)
    );
    assert!(
        world
            .enter_with(Some(&a), "/machines", &with_token)
            .await
            .is_ok()
    );
    let without = world.enter_with(Some(&a), "/machines", &[]).await;
    assert_eq!(
        without.err().map(|it| it.reason),
        Some(Reason::CredentialMissing)
    );
    // A ticket of elsewhere brings no certificate along.
    let ticket = world
        .ticket_with(Some(&a), "/machines", &with_token)
        .await
        .unwrap();
    let offer = [("sec-websocket-protocol", &*ticket)];
    assert_eq!(
        world.refused("/machines", &offer).await,
        Some(Reason::CertificateRequired)
    );
}

#[tokio::test]
async fn no_socket_outlives_the_certificate_that_its_connection_was_opened_with() {
    let world = World::new();
    let until = |seconds| LeaseStatus::Valid {
        until: Timestamp::from_secs(NOW + seconds),
    };
    let token = bearer(&world.token(json!({"exp": NOW + 600})));
    let headers = [("origin", PAGE), ("authorization", &*token)];
    for (seconds, end) in [(60, 60), (900, 600)] {
        let shown = certificate("a", seconds);
        let socket = world.enter_with(Some(&shown), "/live", &headers).await;
        assert_eq!(world.status(&socket.ok().unwrap()), until(end));
    }
    let shown = certificate("a", 60);
    let anonymous = [("origin", PAGE)];
    let socket = world.enter_with(Some(&shown), "/open", &anonymous).await;
    assert_eq!(world.status(&socket.ok().unwrap()), until(60));
    // Nor is anything granted on a connection that has outlived it.
    let over = certificate("a", 0);
    let refused = world.enter_with(Some(&over), "/live", &headers).await;
    assert_eq!(
        refused.err().map(|it| it.reason),
        Some(Reason::CertificateExpired)
    );
    let ticket = world.ticket_with(Some(&over), "/live", &headers).await;
    assert_eq!(ticket.err(), Some(Reason::CertificateExpired));
    // Nor does a fresh token prolong it.
    let socket = world.enter_with(Some(&shown), "/live", &headers).await;
    let socket = socket.ok().unwrap();
    let fresh = world.token(json!({"exp": NOW + 900}));
    let refreshed = world.gate.refresh(&socket.lease, &fresh);
    let refreshed = refreshed.await.ok().unwrap();
    assert_eq!(refreshed.until, Timestamp::from_secs(NOW + 60));
    assert_eq!(world.status(&socket), until(60));
}

#[tokio::test]
async fn attack_077_a_refresh_may_win_a_binding_but_never_change_or_lose_it() {
    let world = World::new();
    let a = certificate("a", 900);
    let other = Some(RefreshError::OtherSubject);
    for (held, fresh, expected) in [
        (Some(OF_A), Some(OF_A), None),
        (None, Some(OF_A), None),
        (Some(OF_A), None, other.clone()),
        (Some(OF_A), Some(OF_B), other),
    ] {
        let token = |bound_to| match bound_to {
            Some(thumbprint) => bound(&world, thumbprint),
            None => world.token(json!({})),
        };
        let held = bearer(&token(held));
        let headers = [("origin", PAGE), ("authorization", &*held)];
        let socket = world.enter_with(Some(&a), "/live", &headers).await;
        let socket = socket.ok().unwrap();
        let fresh_token = token(fresh);
        let outcome = world.gate.refresh(&socket.lease, &fresh_token);
        assert_eq!(outcome.await.err(), expected, "{fresh:?}");
    }
    let plain = bearer(&world.token(json!({})));
    let headers = [("origin", PAGE), ("authorization", &*plain)];
    let socket = world.enter_with(Some(&a), "/live", &headers).await;
    let socket = socket.ok().unwrap();
    let outcome = world
        .gate
        .refresh(&socket.lease, &bound(&world, OF_B))
        .await;
    assert!(matches!(
        outcome,
        Err(RefreshError::Refused(Refusal {
            reason: Reason::TokenBinding,
            ..
        }))
    ));
}
