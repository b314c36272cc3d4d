//! What a user was granted, and what ends it.

use std::{future::poll_fn, pin::pin, task::Poll};

use super::*;
use crate::token::{
    Issuers,
    tests::{granting, slow},
};

fn reload(world: &World, issuers: Issuers) {
    let rules = Rules {
        issuers,
        ..World::rules(&world.signer)
    };
    assert_eq!(world.gate.reload(rules, World::caps()), 0);
}

async fn alice(world: &World) -> Admission {
    let token = bearer(&world.token(json!({})));
    let headers = [("authorization", &*token)];
    world.enter("/native", &headers).await.ok().unwrap()
}

fn grant(world: &World) -> String {
    world.signer.grant(&with(json!({ "jti": "g1" })))
}

#[tokio::test]
async fn a_grant_holds_until_it_is_taken_back_or_would_not_be_granted() {
    let world = World::new();
    reload(&world, granting(&[&world.signer]));
    let (alice, gate) = (alice(&world).await, &world.gate);
    let granted = gate.grant(&alice.lease, &grant(&world)).await;
    let terms = granted.unwrap().terms;
    let holds = || gate.upholds(&terms, &alice.lease.principal());
    assert!(holds() && !gate.upholds(&terms, &Principal::Anonymous));
    reload(&world, trusting(&[&world.signer]));
    assert!(!holds(), "who signed it may not grant any more");
    reload(&world, granting(&[&world.signer]));
    assert!(holds());
    gate.revoke(&Revocation::Token {
        issuer: "https://id.example".into(),
        id: "g1".into(),
    });
    assert!(!holds());
    let again = gate.grant(&alice.lease, &grant(&world)).await;
    assert_eq!(again.unwrap_err().reason, Reason::Revoked);
}

/// What changed while keys were fetched counts.
#[tokio::test(start_paused = true)]
async fn a_grant_is_judged_by_the_rules_that_hold_when_it_begins_to_count() {
    let world = World::new();
    let alice = alice(&world).await;
    for (issuers, owed) in [
        (granting(&[&world.signer]), None),
        (trusting(&[&world.signer]), Some(Reason::TokenIssuer)),
    ] {
        reload(&world, slow(&[&world.signer]));
        let grant = grant(&world);
        let mut asked = pin!(world.gate.grant(&alice.lease, &grant));
        let waits = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        reload(&world, issuers);
        assert_eq!(asked.await.err().map(|it| it.reason), owed);
    }
}
