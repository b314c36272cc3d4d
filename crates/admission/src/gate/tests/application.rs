//! Sessions of the application.

use http::HeaderMap;

use super::*;
use crate::{
    fetch::{Fetch, FetchError, Fetching, Form, Posting, Reply},
    presented::Selection,
    token::{ForwardAuthConfig, Issuers},
};

const COOKIE: &str = "sid=a";

/// Says the same of everybody.
struct Says(Value);

impl Fetch for Says {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }

    fn get_with<'a>(&'a self, _: &'a str, _: &'a HeaderMap) -> Posting<'a> {
        let body = self.0.to_string().into_bytes();
        Box::pin(async { Ok(Reply { status: 200, body }) })
    }

    fn post<'a>(&'a self, url: &'a str, _: &'a Form) -> Posting<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }
}

/// A world where the application says this of its cookie, and the hands of its clock.
fn world(said: Value) -> (World, Arc<Hands>) {
    let (signer, clock) = (Signer::new("k", Algorithm::Es256), Hands::at(NOW * 1000));
    let asked = ForwardAuthConfig {
        name: "app".into(),
        url: "https://app.example/whoami".into(),
        selection: Selection::new(&["sid".into()], &[]).unwrap(),
        cache: Duration::from_secs(10),
        recheck: Duration::from_secs(30),
        timeout: Duration::from_secs(3),
        lifetime: Duration::from_secs(3600),
    };
    let fetch = Arc::new(Says(said));
    let issuers = Issuers::new(Vec::new(), fetch.clone(), clock.clone()).unwrap();
    let issuers = issuers.with_application(asked, fetch).unwrap();
    let rules = Rules {
        issuers,
        ..World::rules(&signer)
    };
    let gate = Gate::new(GateConfig {
        rules,
        caps: Caps::new(World::caps()),
        clock: clock.clone(),
    });
    (World { gate, signer }, clock)
}

#[tokio::test]
async fn a_cookie_that_was_signed_out_here_opens_again_what_the_application_says_once_tickets_are_over()
 {
    for said in [
        json!({ "sub": "alice" }),
        json!({ "sub": "alice", "sid": "session" }),
    ] {
        let (world, clock) = world(said);
        let shown = [("origin", PAGE), ("cookie", COOKIE)];
        let ticket = world.ticket("/live", &shown).await.unwrap();
        let open = world.enter("/live", &shown).await.unwrap();
        assert_eq!(world.sign_out(COOKIE).await, 1);
        assert_ne!(world.status(&open), LeaseStatus::Expired);
        let over = clock.now().after(ticket::LIFETIME).as_millis();
        clock.set(over - 1);
        let by_ticket = [("origin", PAGE), ("sec-websocket-protocol", &*ticket)];
        let revoked = Some(Reason::Revoked);
        assert_eq!(world.refused("/live", &by_ticket).await, revoked);
        assert_eq!(world.refused("/live", &shown).await, revoked);
        clock.set(over);
        assert_eq!(world.refused("/live", &shown).await, None);
    }
}
