//! Signed grants, and what a socket may do that has shown some.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wardwire_admission::{
    clock::Clock,
    fetch::Nowhere,
    token::{Algorithm, Audience, Grant, IssuerConfig, Issuers, KeySource, Profile, Signs, Terms},
};

use super::*;
use crate::rights::{Action, BadGrants, ChannelGrant, Presence};

/// It is always the thousandth second.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1000)
    }
}

/// What a grant gives in a channel until that second.
pub(crate) fn grant(channel: &str, actions: &[&str], until: u64) -> ChannelGrant {
    ChannelGrant::of(verified(&json!({ channel: actions }), until)).unwrap()
}

/// What an application's key signs for Alice, as it comes through the gate.
fn verified(channels: &Value, until: u64) -> Grant {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = encode(key.public_key().as_ref());
    let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": public }] });
    let app = IssuerConfig {
        issuer: "https://app.example".to_owned(),
        name: None,
        signs: Signs::Grants,
        audience: Audience::new(["wardwire"]),
        profile: Profile::Rfc9068,
        algorithms: vec![Algorithm::EdDsa],
        keys: KeySource::Static(keys.to_string().into_bytes()),
        leeway: Duration::ZERO,
        max_lifetime: Duration::from_secs(3600),
        sign_in: None,
        introspection: None,
    };
    let issuers = Issuers::new(vec![app], Arc::new(Nowhere), Arc::new(Still)).unwrap();
    let header = json!({ "alg": "EdDSA", "typ": "wardwire-grant+jwt", "kid": "k" });
    let claims = json!({
        "iss": "https://app.example", "aud": "wardwire", "sub": "alice", "iat": 1000, "exp": until,
        "channels": channels,
    });
    let signed = [header, claims].map(|it| encode(it.to_string().as_bytes()));
    let signed = signed.join(".");
    let signature = encode(key.sign(signed.as_bytes()).as_ref());
    let (grant, alice) = (format!("{signed}.{signature}"), user("alice", "{}"));
    let verified = pin!(issuers.verify_grant(&grant, &alice));
    let Poll::Ready(grant) = verified.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing has to be fetched");
    };
    grant.unwrap()
}

const ALL: [&str; 4] = ["subscribe", "publish", "history", "presence"];

/// Of rooms, those that were granted may do all.
fn granting(subscribe: Right) -> Rules {
    let Rules { channels, limits } = rules(5);
    let mut room = channels.rule(&name("chat/lobby")).unwrap().clone();
    room.subscribe = subscribe;
    (room.publish, room.read) = (Right::Granted, Right::Granted);
    room.presence = Some(Presence {
        see: Right::Granted,
        info: Box::default(),
    });
    let channels = ChannelRules::new(vec![room]).unwrap();
    Rules { channels, limits }
}

fn hub() -> Server {
    let (hub, sides) = Hub::new(granting(Right::Granted), 8);
    Server { hub, sides }
}

impl Socket {
    /// Follows a channel by a grant.
    fn enter(&mut self, grant: ChannelGrant) {
        let name = grant.channel().clone();
        assert!(self.member.show(grant));
        self.subscribe(&name, None).unwrap();
    }

    fn expire(&mut self, now: Timestamp) -> Vec<ChannelName> {
        self.collect();
        self.member.expire(&mut self.fanout, &mut self.outbox, now)
    }

    fn rejudge(&mut self, uphold: impl Fn(&Terms, &Principal) -> bool) -> Vec<ChannelName> {
        self.member
            .rejudge(&mut self.fanout, &mut self.outbox, uphold)
    }

    /// What it may do in a channel.
    fn may(&self, channel: &ChannelName) -> Vec<Action> {
        let may = |action: &Action| match action {
            Action::Subscribe => {
                let seat = self.member.subscribe(&self.fanout, channel, None);
                !matches!(seat.now().unwrap(), Err(HubError::Forbidden))
            }
            Action::Publish => self.publish(channel, &raw("1")).is_ok(),
            Action::History => {
                let limit = Limit {
                    count: 1,
                    bytes: 1000,
                };
                let page = self.member.history(channel, Range::Newest, limit);
                page.now().unwrap().is_ok()
            }
            Action::Presence => self.member.presence(channel, 1).now().unwrap().is_ok(),
        };
        Action::ALL.into_iter().filter(may).collect()
    }
}

const END: u64 = 2000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

#[test]
fn a_grant_is_for_one_channel() {
    for (channels, owed) in [
        (json!({}), BadGrants::NotOne(0)),
        (json!({ "a": ["subscribe"], "b": [] }), BadGrants::NotOne(2)),
        (json!({ "a": ["all"] }), BadGrants::Action("all".into())),
    ] {
        let told = ChannelGrant::of(verified(&channels, END));
        assert_eq!(told.err(), Some(owed));
    }
}

#[test]
fn a_grant_gives_in_its_channel_what_it_says() {
    for action in Action::ALL {
        let mut alice = hub().socket(user("alice", "{}"));
        assert_eq!(alice.may(&room(1)), []);
        assert!(alice.member.show(grant("chat/r1", &[action.name()], END)));
        assert_eq!(alice.may(&room(1)), [action]);
        assert_eq!(alice.may(&room(2)), [], "{action:?}");
    }
}

#[test]
fn a_grant_ends_at_its_very_end_and_takes_back_what_waits() {
    let mut hub = hub();
    let mut alice = hub.socket(user("alice", "{}"));
    alice.enter(grant("chat/r1", &ALL, END));
    alice.enter(grant("chat/r2", &ALL, END + 1));
    assert_eq!(alice.member.granted_until(), at(END));
    let last = Timestamp::from_millis(END * 1000 - 1);
    assert_eq!(alice.expire(last), []);
    alice.publish(&room(1), &raw("1")).unwrap();
    alice.publish(&room(2), &raw("2")).unwrap();
    assert_eq!(alice.expire(at(END)), [room(1)]);
    assert_eq!(alice.may(&room(1)), []);
    let heard = received(&mut alice);
    let heard: Vec<_> = heard.iter().map(|it| &it["params"]["channel"]).collect();
    assert_eq!(heard, ["chat/r2"], "only what it follows still");
    assert_eq!(alice.member.granted_until(), at(END + 1));
    assert_eq!(alice.expire(Timestamp::NEVER), [room(2)]);
    assert_eq!(alice.member.granted_until(), Timestamp::NEVER);
}

#[test]
fn what_was_shown_is_given_up_with_its_channel() {
    let mut hub = hub();
    let mut alice = hub.socket(user("alice", "{}"));
    alice.enter(grant("chat/r1", &ALL, END));
    alice.enter(grant("chat/r2", &ALL, END + 1));
    alice.unsubscribe(&room(1)).unwrap();
    assert_eq!(alice.may(&room(1)), []);
    assert_eq!(alice.may(&room(2)), Action::ALL);
    assert_eq!(alice.member.granted_until(), at(END + 1));
    // Also where it is lost otherwise: here nobody may follow any more, and those with a grant might publish still.
    hub.hub.reload(granting(Right::Nobody));
    assert_eq!(alice.rejudge(|_, _| true), [room(2)]);
    assert_eq!(alice.may(&room(2)), []);
    assert_eq!(alice.member.granted_until(), Timestamp::NEVER);
}

#[test]
fn what_is_shown_for_a_channel_that_is_followed_changes_nothing() {
    let mut hub = hub();
    let mut alice = hub.socket(user("alice", "{}"));
    alice.enter(grant("chat/r1", &["subscribe"], END));
    assert!(!alice.member.show(grant("chat/r1", &ALL, END + 1)));
    assert_eq!(alice.may(&room(1)), [Action::Subscribe]);
    alice.member.forget(&room(1));
    assert_eq!(alice.may(&room(1)), [Action::Subscribe]);
    assert!(alice.member.show(grant("chat/r2", &ALL, END)));
    alice.member.forget(&room(2));
    assert_eq!(alice.may(&room(2)), [], "it did not come to be followed");
}

#[test]
fn a_fresh_proof_keeps_what_was_shown() {
    let mut hub = hub();
    let mut alice = hub.socket(user("alice", r#"{"channels":{"chat/r2":["subscribe"]}}"#));
    alice.enter(grant("chat/r1", &ALL, END));
    alice.subscribe(&room(2), None).unwrap();
    assert_eq!(alice.renew(user("alice", "{}")), [room(2)]);
    assert_eq!(alice.may(&room(1)), Action::ALL);
}

#[test]
fn what_is_not_upheld_is_lost() {
    let mut hub = hub();
    let mut alice = hub.socket(user("alice", "{}"));
    alice.enter(grant("chat/r1", &ALL, END));
    alice.enter(grant("chat/r2", &ALL, END + 1));
    let lost = alice.rejudge(|terms, holder| {
        assert_eq!(holder.handle(), Some("alice"));
        terms.until == at(END)
    });
    assert_eq!(lost, [room(2)]);
    assert_eq!(alice.may(&room(1)), Action::ALL);
    assert_eq!(alice.may(&room(2)), []);
}
