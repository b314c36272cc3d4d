use std::time::Duration;

use super::*;
use crate::{
    rights::{ChannelRule, ChannelRules, History, Pattern, Right, Standing},
    tests::{anonymous, user},
};

const SCHEMA: &str = r#"{"type":"object","properties":{"text":{"type":"string","maxLength":5,"x-sanitise":"text"}}}"#;

fn rules(content: ContentRule) -> ChannelRules {
    let rule = ChannelRule {
        pattern: Pattern::parse("chat/{room}").unwrap(),
        subscribe: Right::Anyone,
        publish: Right::Authenticated,
        history: History::default(),
        latest: crate::engine::Latest::default(),
        content,
        read: Right::Nobody,
        presence: None,
    };
    ChannelRules::new(vec![rule]).unwrap()
}

fn with_schema(mode: Mode) -> ContentRule {
    ContentRule {
        schema: Some(Arc::new(Content::compile(SCHEMA).unwrap())),
        mode,
        ..ContentRule::default()
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// What is delivered of data, and what is told of it.
fn publish(content: ContentRule, data: &str) -> Result<(String, Option<HubError>), HubError> {
    let (rules, alice) = (rules(content), Standing::from(user("alice", "{}")));
    let (channel, data) = (ChannelName::parse("chat/1").unwrap(), raw(data));
    let rates = Rates::default();
    let cleared = clear(
        &rules,
        &alice,
        &channel,
        (&data).into(),
        &rates,
        Instant::now(),
    )?;
    let Cleaned::Data(delivered) = &cleared.payload else {
        panic!("bytes");
    };
    Ok((delivered.get().to_owned(), cleared.reported))
}

fn invalid(pointer: &str, keyword: &str) -> HubError {
    HubError::Invalid(Violation {
        pointer: pointer.to_owned(),
        keyword: keyword.to_owned(),
    })
}

#[test]
fn what_does_not_fit_is_refused_or_let_through_as_it_was_and_told_of() {
    let long = r#"{"text":"too long"}"#;
    let dirty = "{ \"text\":\"a\u{202e}b\"}";
    let error = invalid("/text", "maxLength");
    assert_eq!(
        publish(with_schema(Mode::Enforce), long),
        Err(error.clone())
    );
    assert_eq!(
        publish(with_schema(Mode::Report), long),
        Ok((long.to_owned(), Some(error)))
    );
    assert_eq!(
        publish(with_schema(Mode::Enforce), dirty),
        Ok((r#"{"text":"ab"}"#.to_owned(), None))
    );
    assert_eq!(
        publish(with_schema(Mode::Report), dirty),
        Ok((dirty.to_owned(), Some(invalid("", "x-sanitise"))))
    );
}

#[test]
fn the_right_is_asked_before_the_rate_and_the_rate_before_the_content() {
    let content = ContentRule {
        rate: Some(Rate {
            messages: Some(1),
            bytes: None,
            per: Duration::from_secs(1),
        }),
        ..with_schema(Mode::Enforce)
    };
    let rules = rules(content);
    let (alice, stranger) = (
        Standing::from(user("alice", "{}")),
        Standing::from(anonymous()),
    );
    let (channel, bad) = (ChannelName::parse("chat/1").unwrap(), raw("[]"));
    let (rates, now) = (Rates::default(), Instant::now());
    let ask = |who, now| clear(&rules, who, &channel, (&bad).into(), &rates, now).map(|_| ());
    for _ in 0..3 {
        assert_eq!(
            ask(&stranger, now),
            Err(HubError::Forbidden),
            "who has no right spends nothing"
        );
    }
    assert_eq!(ask(&alice, now), Err(invalid("", "type")));
    assert_eq!(
        ask(&alice, now),
        Err(HubError::Rate(Duration::from_secs(1)))
    );
    let other = ChannelName::parse("chat/2").unwrap();
    let elsewhere = clear(&rules, &alice, &other, (&bad).into(), &rates, now).map(|_| ());
    assert_eq!(
        elsewhere,
        Err(invalid("", "type")),
        "each channel has its own"
    );
}

#[test]
fn what_is_larger_than_a_channel_ever_takes_is_told_so_and_spends_nothing() {
    let limited = |mode| ContentRule {
        rate: Some(Rate {
            messages: Some(1),
            bytes: Some(8),
            per: Duration::from_secs(1),
        }),
        mode,
        ..ContentRule::default()
    };
    let alice = Standing::from(user("alice", "{}"));
    let (channel, now) = (ChannelName::parse("chat/1").unwrap(), Instant::now());
    let rates = Rates::default();
    let ask = |mode, data: &str| {
        let (rules, data) = (rules(limited(mode)), raw(data));
        let cleared = clear(&rules, &alice, &channel, (&data).into(), &rates, now);
        cleared.map(|cleared| cleared.reported)
    };
    let large = "\"1234567\"";
    assert_eq!(ask(Mode::Enforce, large), Err(HubError::TooLarge));
    assert_eq!(ask(Mode::Report, large), Ok(Some(HubError::TooLarge)));
    assert_eq!(ask(Mode::Enforce, "\"123456\""), Ok(None));
    let second = ask(Mode::Enforce, "1");
    assert_eq!(second, Err(HubError::Rate(Duration::from_secs(1))));
}

#[test]
fn a_channel_takes_bytes_or_json_and_never_both() {
    let binary = ContentRule {
        binary: true,
        mode: Mode::Report,
        ..ContentRule::default()
    };
    let alice = Standing::from(user("alice", "{}"));
    let channel = ChannelName::parse("chat/1").unwrap();
    let rates = Rates::default();
    let ask = |content: &ContentRule, payload: Payload<'_>| {
        let rules = rules(content.clone());
        clear(&rules, &alice, &channel, payload, &rates, Instant::now()).map(|_| ())
    };
    let data = raw("\"AAEC\"");
    for text in ["", "AAEC", "AA==", "AAE=", "+/+/"] {
        assert_eq!(ask(&binary, Payload::Base64(text)), Ok(()), "{text}");
    }
    for text in [
        "AA", "AA=", "AB==", "AAF=", "A", "-_-_", "AAEC\n", " AAEC", "AAEC=", "A A=",
    ] {
        let refused = Err(invalid("", "base64"));
        assert_eq!(ask(&binary, Payload::Base64(text)), refused, "{text:?}");
    }
    let refused = Err(invalid("", "binary"));
    assert_eq!(ask(&binary, Payload::Data(&data)), refused);
    assert_eq!(
        ask(&ContentRule::default(), Payload::Base64("AAEC")),
        refused
    );
}
