//! What issuers said of opaque tokens: by a digest of the token, for a moment, and so many at most.
//!
//! Answers that a token does not hold are kept apart, so that whoever invents tokens pushes out nobody's that does.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use tokio::time::Instant;

use super::{Answer, Denied, Flight};
use crate::{revocation::Revocation, token::digest_of_name};

/// The most answers of a kind that are kept. The oldest goes first.
const MOST: usize = 10_000;

/// A SHA-256 of a token, which opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// Answers, and questions that are under way.
#[derive(Default)]
pub(super) struct Answers {
    active: Kept,
    inactive: Kept,
    pub(super) flights: HashMap<Digest, Flight>,
    /// How often anything was taken back.
    taken_back: u64,
}

/// When a question was asked, in the order of what was taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun(u64);

impl Answers {
    pub(super) fn find(&self, key: &Digest, now: Instant) -> Option<Answer> {
        let active = self.active.find(key, now);
        active.or_else(|| self.inactive.find(key, now))
    }

    pub(super) fn under_way(&self, key: &Digest) -> Option<Flight> {
        let flight = self.flights.get(key)?;
        // Of one that was lost there is no answer to wait for.
        flight.has_changed().is_ok().then(|| flight.clone())
    }

    pub(super) fn begin(&mut self, key: Digest, flight: Flight) -> Begun {
        self.flights.insert(key, flight);
        Begun(self.taken_back)
    }

    /// A question is answered, or not. What was known before is known no longer either way. INVARIANT: an answer to what was
    /// asked before something was taken back is not kept.
    pub(super) fn land(
        &mut self,
        key: Digest,
        begun: Begun,
        outcome: &Result<Answer, Denied>,
        until: Instant,
    ) {
        self.flights.remove(&key);
        self.active.remove(&key);
        self.inactive.remove(&key);
        let Ok(answer) = outcome else { return };
        if begun != Begun(self.taken_back) {
            return;
        }
        let kept = match answer {
            Answer::Active { .. } => &mut self.active,
            Answer::Inactive => &mut self.inactive,
        };
        kept.insert(key, answer.clone(), until, Instant::now());
    }

    /// The revocation is of this issuer.
    pub(super) fn forget(&mut self, revocation: &Revocation) {
        self.taken_back += 1;
        let token = match revocation {
            Revocation::Token { id, .. } => digest_of_name(id),
            _ => None,
        };
        self.active.by_key.retain(|key, (answer, _)| match answer {
            Answer::Active { claims, .. } => {
                let says = |name: &str, value: &str| {
                    claims.get(name).and_then(Value::as_str) == Some(value)
                };
                !match revocation {
                    Revocation::Token { id, .. } => token == Some(key.0) || says("jti", id),
                    Revocation::Session { id, .. } => says("sid", id),
                    Revocation::Subject { subject, .. } => says("sub", subject),
                    Revocation::Issuer { .. } => true,
                }
            }
            Answer::Inactive => true,
        });
    }
}

/// Answers with their ends, which come in the order in which they were kept.
#[derive(Default)]
struct Kept {
    by_key: HashMap<Digest, (Answer, Instant)>,
    order: VecDeque<(Instant, Digest)>,
}

impl Kept {
    fn find(&self, key: &Digest, now: Instant) -> Option<Answer> {
        let (answer, until) = self.by_key.get(key)?;
        (now < *until).then(|| answer.clone())
    }

    fn remove(&mut self, key: &Digest) {
        self.by_key.remove(key);
    }

    fn insert(&mut self, key: Digest, answer: Answer, until: Instant, now: Instant) {
        while let Some(&(end, oldest)) = self.order.front()
            && (end <= now || self.order.len() >= MOST)
        {
            self.order.pop_front();
            // It may have been answered anew since.
            if self.by_key.get(&oldest).is_some_and(|it| it.1 <= end) {
                self.by_key.remove(&oldest);
            }
        }
        if until > now {
            self.by_key.insert(key, (answer, until));
            self.order.push_back((until, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use serde_json::json;

    use super::*;
    use crate::{
        clock::Timestamp,
        token::{introspection::unavailable, name_of_digest},
    };

    fn active(claims: Value) -> Result<Answer, Denied> {
        Ok(Answer::Active {
            claims: Arc::new(claims.as_object().unwrap().clone()),
            asked: Timestamp::from_secs(0),
        })
    }

    fn keep(answers: &mut Answers, token: &str, answer: &Result<Answer, Denied>, until: Instant) {
        let (_, flight) = tokio::sync::watch::channel(None);
        let begun = answers.begin(Digest::of(token), flight);
        answers.land(Digest::of(token), begun, answer, until);
    }

    #[test]
    fn inventing_tokens_pushes_out_none_that_holds_and_fills_nothing() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        let until = now + Duration::from_secs(60);
        keep(&mut answers, "good", &active(json!({})), until);
        for n in 0..MOST + 10 {
            keep(
                &mut answers,
                &format!("bad-{n}"),
                &Ok(Answer::Inactive),
                until,
            );
        }
        assert!(answers.find(&Digest::of("good"), now).is_some());
        assert!(answers.find(&Digest::of("bad-0"), now).is_none());
        assert_eq!(
            (answers.inactive.by_key.len(), answers.inactive.order.len()),
            (MOST, MOST)
        );
        assert!(answers.flights.is_empty());
        // As does asking about one again and again.
        for _ in 0..MOST + 10 {
            keep(&mut answers, "good", &active(json!({})), until);
        }
        assert_eq!(answers.active.order.len(), MOST);
        assert!(answers.find(&Digest::of("good"), now).is_some());
    }

    #[test]
    fn what_is_taken_back_is_forgotten_and_nothing_else() {
        let until = Instant::now() + Duration::from_secs(60);
        let issuer = || Box::<str>::from("https://id.example");
        let named = name_of_digest(&Digest::of("named").0);
        let revocations = [
            Revocation::Token {
                issuer: issuer(),
                id: "t".into(),
            },
            Revocation::Token {
                issuer: issuer(),
                id: named,
            },
            Revocation::Session {
                issuer: issuer(),
                id: "s".into(),
            },
            Revocation::Subject {
                issuer: issuer(),
                subject: "alice".into(),
                issued_before: Timestamp::NEVER,
            },
        ];
        let tokens = ["jti", "named", "sid", "sub"];
        for (at, revocation) in revocations.iter().enumerate() {
            let mut answers = Answers::default();
            let claims = [
                json!({"jti": "t"}),
                json!({}),
                json!({"sid": "s"}),
                json!({"sub": "alice"}),
            ];
            for (token, claims) in tokens.iter().zip(claims) {
                keep(&mut answers, token, &active(claims), until);
            }
            answers.forget(revocation);
            for (other, token) in tokens.iter().enumerate() {
                let known = answers.find(&Digest::of(token), Instant::now());
                assert_eq!(known.is_none(), at == other, "{token} after {revocation:?}");
            }
            answers.forget(&Revocation::Issuer {
                issuer: issuer(),
                issued_before: Timestamp::NEVER,
            });
            assert!(answers.active.by_key.is_empty());
        }
    }

    #[test]
    fn an_answer_to_what_was_asked_before_a_revocation_is_not_kept() {
        let mut answers = Answers::default();
        let (_tell, flight) = tokio::sync::watch::channel(None);
        let begun = answers.begin(Digest::of("a"), flight);
        answers.forget(&Revocation::Subject {
            issuer: "https://id.example".into(),
            subject: "alice".into(),
            issued_before: Timestamp::NEVER,
        });
        let until = Instant::now() + Duration::from_secs(60);
        answers.land(
            Digest::of("a"),
            begun,
            &active(json!({"sub": "alice"})),
            until,
        );
        assert!(answers.find(&Digest::of("a"), Instant::now()).is_none());
    }

    #[test]
    fn an_answer_counts_strictly_before_its_end() {
        let (mut kept, now) = (Kept::default(), Instant::now());
        let key = Digest::of("a");
        kept.insert(key, Answer::Inactive, now, now);
        assert!(kept.by_key.is_empty() && kept.order.is_empty());
        let until = now + Duration::from_secs(1);
        kept.insert(key, Answer::Inactive, until, now);
        assert!(kept.find(&key, until - Duration::from_nanos(1)).is_some());
        assert!(kept.find(&key, until).is_none());
    }

    #[test]
    fn what_was_said_before_is_forgotten_whatever_is_said_now() {
        let until = Instant::now() + Duration::from_secs(60);
        let held = || active(json!({}));
        let silence = || Err(Denied::from(unavailable("it is down")));
        for (before, now, known) in [
            (held(), Ok(Answer::Inactive), Some(false)),
            (Ok(Answer::Inactive), held(), Some(true)),
            (held(), silence(), None),
            (Ok(Answer::Inactive), silence(), None),
        ] {
            let mut answers = Answers::default();
            keep(&mut answers, "a", &before, until);
            keep(&mut answers, "a", &now, until);
            let found = answers.find(&Digest::of("a"), Instant::now());
            let holds = found.map(|it| matches!(it, Answer::Active { .. }));
            assert_eq!(holds, known, "{before:?} {now:?}");
        }
    }

    #[test]
    fn nobody_waits_for_a_question_that_was_lost() {
        let mut answers = Answers::default();
        let (tell, flight) = tokio::sync::watch::channel(None);
        answers.begin(Digest::of("a"), flight);
        assert!(answers.under_way(&Digest::of("a")).is_some());
        assert!(answers.under_way(&Digest::of("b")).is_none());
        drop(tell);
        assert!(answers.under_way(&Digest::of("a")).is_none());
    }
}
