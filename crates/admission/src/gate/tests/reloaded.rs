//! Rules that change beside handshakes, refreshes, tickets and sessions.

use super::*;
use crate::{
    proxy::TrustedProxies,
    token::tests::{brief, renamed, slow},
};

/// The same, for another page.
fn elsewhere(world: &World) -> Rules {
    let other = Origin::parse("https://other.example").unwrap();
    Rules {
        origins: AllowedOrigins::Listed(vec![other]),
        ..World::rules(&world.signer)
    }
}

/// The same, of whom the issuer thinks as somebody else.
fn of_another_audience(world: &World) -> Rules {
    Rules {
        issuers: renamed(&[&world.signer], "another"),
        ..World::rules(&world.signer)
    }
}

fn reload(world: &World, rules: Rules) -> usize {
    world.gate.reload(rules, World::caps())
}

/// A socket on the route for native clients.
async fn native(world: &World, authorization: &str) -> Admission {
    let headers = [("authorization", authorization)];
    world.enter("/native", &headers).await.ok().unwrap()
}

/// However far it has come.
#[tokio::test]
async fn a_handshake_that_other_rules_have_judged_is_refused_at_its_last_stage() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let head = handshake("/native", &[("authorization", &token)]);
    let gate = &world.gate;
    let transport = transport(None);
    let checked = gate.check(&head, &transport).unwrap();
    let identified = checked.identify(gate, &mut Trail::default()).await;
    let permitted = identified.ok().unwrap().permit(gate).ok().unwrap();
    assert_eq!(reload(&world, World::rules(&world.signer)), 0);
    let refused = permitted.admit(&world.place(), gate).err().unwrap();
    assert_eq!(refused.reason, Reason::Reloaded);
    assert!(refused.retry_after.is_some());
    assert_eq!(gate.leases().count(), 0);
}

#[tokio::test]
async fn sockets_end_that_the_new_rules_do_not_keep_and_no_others() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let from_page = [("origin", PAGE), ("authorization", &*token)];
    let page = world.enter("/live", &from_page).await.ok().unwrap();
    let native = native(&world, &token).await;
    let valid = world.status(&native);
    assert_eq!(
        reload(&world, World::rules(&world.signer)),
        0,
        "the same rules"
    );
    assert_eq!(world.status(&page), valid);
    assert_eq!(reload(&world, elsewhere(&world)), 1);
    let ended = |reason| LeaseStatus::Ended(reason);
    assert_eq!(world.status(&page), ended(EndReason::Forbidden));
    assert_eq!(world.status(&native), valid);
    assert_eq!(reload(&world, of_another_audience(&world)), 1);
    assert_eq!(world.status(&native), ended(EndReason::Revoked));
}

#[tokio::test]
async fn a_stronger_sign_in_is_asked_of_open_sockets() {
    let world = World::new();
    let token = world.token(json!({"acr": "mfa"}));
    let strong = native(&world, &bearer(&token)).await;
    let weak = world.token(json!({"sub": "bob"}));
    let weak = native(&world, &bearer(&weak)).await;
    let strongly = Requirement {
        acr: Some("mfa".into()),
        ..Requirement::default()
    };
    assert_eq!(reload(&world, demanding(&world, &strongly)), 1);
    assert!(matches!(world.status(&strong), LeaseStatus::Valid { .. }));
    assert_eq!(world.status(&weak), LeaseStatus::Ended(EndReason::Revoked));
}

#[tokio::test]
async fn open_sockets_end_when_the_sign_in_is_too_old_by_the_rules_that_hold() {
    let world = World::new();
    let token = world.token(json!({"auth_time": NOW - 100}));
    let socket = native(&world, &bearer(&token)).await;
    let since = |seconds| Requirement {
        max_age: Some(Duration::from_secs(seconds)),
        ..Requirement::default()
    };
    let until = |seconds| LeaseStatus::Valid {
        until: Timestamp::from_secs(NOW + seconds),
    };
    assert_eq!(world.status(&socket), until(300));
    assert_eq!(reload(&world, demanding(&world, &since(150))), 0);
    assert_eq!(world.status(&socket), until(50));
    assert_eq!(reload(&world, demanding(&world, &since(250))), 0);
    assert_eq!(world.status(&socket), until(150));
    assert_eq!(reload(&world, demanding(&world, &since(60))), 1);
    assert_eq!(world.status(&socket), LeaseStatus::Expired);
    assert_eq!(reload(&world, demanding(&world, &since(50))), 0, "once");
}

/// The same, with this demanded on each route.
fn demanding(world: &World, require: &Requirement) -> Rules {
    let mut rules = World::rules(&world.signer);
    let routes: Vec<Route> = rules.routes.iter().map(|it| Route::clone(it)).collect();
    rules.routes = Routes::new(routes.into_iter().map(|route| Route {
        require: require.clone(),
        ..route
    }));
    rules
}

#[tokio::test]
async fn what_a_token_opened_that_is_too_long_by_now_ends_and_opens_nothing() {
    let world = World::new();
    let long = world.token(json!({}));
    let short = world.token(json!({"sub": "bob", "exp": NOW + 60}));
    let (goes, stays) = (
        native(&world, &bearer(&long)).await,
        native(&world, &bearer(&short)).await,
    );
    let authorization = bearer(&long);
    let headers = [("authorization", &*authorization), ("origin", PAGE)];
    let ticket = world.ticket("/live", &headers).await.unwrap();
    let rules = Rules {
        issuers: brief(&[&world.signer], Duration::from_secs(60)),
        ..World::rules(&world.signer)
    };
    assert_eq!(reload(&world, rules), 1);
    assert_eq!(world.status(&goes), LeaseStatus::Ended(EndReason::Revoked));
    assert!(matches!(world.status(&stays), LeaseStatus::Valid { .. }));
    let headers = [("origin", PAGE), ("sec-websocket-protocol", &*ticket)];
    let refused = world.refused("/live", &headers).await;
    assert_eq!(refused, Some(Reason::TokenLifetime));
}

#[tokio::test]
async fn tickets_and_sessions_of_other_rules_are_judged_by_those_of_their_use() {
    let world = World::new();
    let token = world.token(json!({}));
    let bearer = bearer(&token);
    let headers = [("origin", PAGE), ("authorization", &*bearer)];
    let kept = world.ticket("/live", &headers).await.unwrap();
    let lost = world.ticket("/live", &headers).await.unwrap();
    let cookie = world.sign_in(&token).await;
    reload(&world, World::rules(&world.signer));
    let offer = |ticket: &str| {
        vec![
            ("origin", PAGE.to_owned()),
            ("sec-websocket-protocol", ticket.to_owned()),
        ]
    };
    let enter = async |offer: Vec<(&str, String)>| {
        let offer: Vec<_> = offer
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        world.refused("/live", &offer).await
    };
    assert_eq!(enter(offer(&kept)).await, None);
    reload(&world, of_another_audience(&world));
    assert_eq!(enter(offer(&lost)).await, Some(Reason::TokenAudience));
    let by_cookie = [("origin", PAGE), ("cookie", &*cookie)];
    let by_cookie = world.refused("/live", &by_cookie).await;
    assert_eq!(by_cookie, Some(Reason::TokenAudience));
}

#[tokio::test]
async fn a_refresh_is_judged_by_the_rules_of_its_answer() {
    let world = World::new();
    let first = bearer(&world.token(json!({})));
    let socket = native(&world, &first).await;
    let later = world.token(json!({"exp": NOW + 900}));
    reload(&world, World::rules(&world.signer));
    assert!(world.gate.refresh(&socket.lease, &later).await.is_ok());
    reload(&world, of_another_audience(&world));
    let refused = world.gate.refresh(&socket.lease, &later).await;
    assert!(matches!(
        refused,
        Err(RefreshError::Refused(Refusal {
            reason: Reason::TokenAudience,
            ..
        }))
    ));
}

/// The token is judged by the rules before, while its issuer's keys are fetched, and comes back to others.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_a_reload_overtakes_is_judged_over() {
    let world = World::new();
    let first = bearer(&world.token(json!({})));
    let socket = native(&world, &first).await;
    let waiting = |world: &World| Rules {
        issuers: slow(&[&world.signer]),
        ..World::rules(&world.signer)
    };
    let later = world.token(json!({"exp": NOW + 900}));
    let overtaken = async |rules: Rules| {
        reload(&world, waiting(&world));
        let refresh = world.gate.refresh(&socket.lease, &later);
        let overtake = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.gate.reload(rules, World::caps())
        };
        tokio::join!(refresh, overtake)
    };
    let (kept, ended) = overtaken(World::rules(&world.signer)).await;
    assert_eq!((kept.is_ok(), ended), (true, 0));
    // The key by which it was signed is taken away.
    let other = Signer::new("k", Algorithm::Es256);
    let (refused, ended) = overtaken(World::rules(&other)).await;
    assert_eq!((refused.is_err(), ended), (true, 0));
    assert_eq!(
        world.status(&socket),
        LeaseStatus::Ended(EndReason::Revoked)
    );
}

#[tokio::test]
async fn a_balancer_that_is_trusted_no_longer_brings_no_request_on_a_connection_it_had() {
    let world = World::new();
    let trusting = |network: &str| {
        let list = TrustedProxies::new([network.parse().unwrap()]).unwrap();
        Rules {
            balancers: Balancers {
                ending_tls: Some(list),
                introducing: None,
            },
            ..World::rules(&world.signer)
        }
    };
    let token = bearer(&world.token(json!({})));
    let headers = [("authorization", &*token)];
    reload(&world, trusting("127.0.0.0/8"));
    assert_eq!(world.refused("/native", &headers).await, None);
    reload(&world, trusting("10.0.0.0/8"));
    let refused = world.refused("/native", &headers).await;
    assert_eq!(refused, Some(Reason::ProxyUntrusted));
}

#[tokio::test]
async fn other_caps_count_those_who_are_there() {
    let world = World::new();
    let token = bearer(&world.token(json!({})));
    let headers = [("authorization", &*token)];
    let _held = world.enter("/native", &headers).await.ok().unwrap();
    let caps = CapLimits {
        per_subject: 1,
        ..World::caps()
    };
    world.gate.reload(World::rules(&world.signer), caps);
    let refused = world.refused("/native", &headers).await;
    assert_eq!(refused, Some(Reason::TooManyOfSubject));
}
