//! What was taken back opens nothing and prolongs nothing, and no more is told of it.

use super::*;
use crate::{
    principal::{SessionId, tests::identity},
    revocation::ENTRIES,
};

/// And not what the route would have asked for, nor how many sockets there are already.
#[tokio::test]
async fn whoever_was_revoked_is_told_that_and_no_more() {
    let world = World::new();
    let (other, token) = (
        bearer(&world.token(json!({}))),
        bearer(&world.token(json!({"jti": "t9"}))),
    );
    let by = |token| [("origin", PAGE), ("authorization", token)];
    let _held = [
        world.enter("/live", &by(&other)).await.ok().unwrap(),
        world.enter("/live", &by(&other)).await.ok().unwrap(),
    ];
    let before = [
        ("/strong", Reason::InsufficientAuthentication),
        ("/live", Reason::TooManyOfSubject),
    ];
    for (path, reason) in before {
        assert_eq!(world.refused(path, &by(&token)).await, Some(reason));
    }
    world.gate.revoke(&Revocation::Token {
        issuer: "https://id.example".into(),
        id: "t9".into(),
    });
    let plain = "Bearer error=\"invalid_token\"";
    for (path, _) in before {
        let refusal = world.enter(path, &by(&token)).await.err().unwrap();
        assert_eq!(refusal.reason, Reason::Revoked, "{path}");
        assert_eq!(refusal.challenge().as_deref(), Some(plain), "{path}");
    }
}

#[tokio::test]
async fn a_revoked_token_prolongs_nothing() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let headers = [("origin", PAGE), ("authorization", &*token)];
    let socket = world.enter("/live", &headers).await.ok().unwrap();
    let before = world.status(&socket);
    world.gate.revoke(&Revocation::Token {
        issuer: "https://id.example".into(),
        id: "t9".into(),
    });
    let revoked = world.token(json!({"exp": NOW + 900, "jti": "t9"}));
    let outcome = world.gate.refresh(&socket.lease, &revoked).await;
    assert!(matches!(
        outcome,
        Err(RefreshError::Refused(Refusal {
            reason: Reason::Revoked,
            ..
        }))
    ));
    assert_eq!(world.status(&socket), before);
}

/// What happens after the token was verified and before the socket is registered.
#[tokio::test]
async fn the_last_question_is_asked_again_at_the_upgrade() {
    let revoke: fn(&Gate) -> usize = |gate| {
        gate.revoke(&Revocation::Subject {
            issuer: "https://id.example".into(),
            subject: "alice".into(),
            issued_before: Timestamp::from_secs(NOW),
        })
    };
    let meanwhile = [(revoke, Reason::Revoked), (Gate::drain, Reason::Draining)];
    for (happens, expected) in meanwhile {
        let world = World::new();
        let token = bearer(&world.token(json!({})));
        let head = handshake("/native", &[("authorization", &token)]);
        let transport = transport(None);
        let gate = &world.gate;
        let checked = gate.check(&head, &transport).unwrap();
        let identified = checked.identify(gate, &mut Trail::default()).await;
        let permitted = identified.ok().unwrap().permit(gate).ok().unwrap();
        assert_eq!(happens(gate), 0, "there is no socket yet");
        let refused = permitted.admit(&world.place(), gate).err().unwrap();
        assert_eq!(refused.reason, expected);
        assert_eq!(gate.leases().count(), 0, "and none is left");
    }
}

/// By whichever way: here, or at the provider.
#[tokio::test]
async fn who_signs_out_without_end_signs_out_nobody_else() {
    let ways: [fn(&Gate, &str) -> usize; 3] = [
        |gate, name| {
            let session = Some(SessionId::new(name));
            let alice = identity("alice");
            gate.sign_out(&Identity { session, ..alice }).unwrap()
        },
        |gate, name| {
            let token_id = Some(name.into());
            let alice = identity("alice");
            gate.sign_out(&Identity { token_id, ..alice }).unwrap()
        },
        |gate, name| {
            let alice = Some("alice");
            let issuer = "https://id.example";
            gate.end_at_provider(issuer, name, alice, gate.now()).1
        },
    ];
    for signs_out in ways {
        let world = World::new();
        for n in 0..=ENTRIES {
            signs_out(&world.gate, &n.to_string());
        }
        let entered = async |subject: &str| {
            let token = bearer(&world.token(json!({ "sub": subject })));
            let headers = [("origin", PAGE), ("authorization", &*token)];
            world.refused("/live", &headers).await
        };
        assert_eq!(entered("bob").await, None);
        assert_eq!(entered("alice").await, Some(Reason::Revoked));
    }
}
