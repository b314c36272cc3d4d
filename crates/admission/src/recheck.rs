//! Open sockets whose token is opaque, or whose session is the application's: whoever vouches for it is asked again and again
//! (RFC 7662), and they end when it says no.
//!
//! Looking and asking are apart: [`LOOKS`] times in the time that is configured it is looked who is due and who has waited for
//! too long, however many questions are under way and however slow their answers are.
//!
//! INVARIANT: nobody waits for an answer longer than [`PATIENCE`] looks after the one that found them due, and for a question
//! that is under way then. What was not answered by then was a no.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::StatusCode;
use tokio::{
    pin, select,
    task::{self, JoinSet},
    time::{Instant, sleep_until},
};

use crate::{
    clock::Timestamp,
    gate::Gate,
    lease::EndReason,
    principal::Identity,
    refusal::{Reason, Refusal, Stage},
    revocation::Revocation,
    rules::Rules,
    ticket,
    token::{AGAIN_AT_ONCE, Denied},
};

/// How many tokens of an authority are asked about at the same time.
const AT_ONCE: usize = AGAIN_AT_ONCE;
/// How often it is looked in the time that is configured.
const LOOKS: u32 = 8;
/// How many looks an answer is waited for: with one look until it is noticed that one is due, and one until it is noticed that
/// none came, as long as what is configured.
const PATIENCE: u32 = LOOKS - 2;
/// The longest time between two looks, as a reload may change what is configured.
const LONGEST: Duration = Duration::from_secs(5);

/// What is known of the tokens of open sockets, and what is asked about them.
#[derive(Default)]
pub struct Rechecks {
    tokens: HashMap<Arc<str>, Standing>,
    authorities: HashMap<Box<str>, Authority>,
}

/// Somebody whose token holds no longer.
#[derive(Debug)]
pub struct Lapsed {
    /// Who it was.
    pub identity: Arc<Identity>,
    /// Why it holds no longer.
    pub refusal: Refusal,
    /// How many sockets that ended.
    pub ended: usize,
}

/// How a token of open sockets stands.
struct Standing {
    /// When it was asked what was answered last.
    answered: Timestamp,
    /// When it was found that another answer is due.
    due: Option<Timestamp>,
    /// How many questions came to nothing since.
    tries: usize,
    is_under_way: bool,
}

/// Whoever vouches for tokens.
#[derive(Default)]
struct Authority {
    every: Duration,
    /// Whom it is asked about next, the next one last.
    waiting: Vec<Due>,
    questions: JoinSet<Result<Identity, Denied>>,
    about: HashMap<task::Id, Due>,
    /// How many questions in a row came to nothing, since the last look.
    silent: usize,
}

/// One token of open sockets.
struct Due {
    token: Arc<str>,
    identity: Arc<Identity>,
    /// Also of others by now, as it became somebody else's.
    is_shared: bool,
}

impl Gate {
    /// Looks whose token is due, and asks about those until it is time for the next look. What was opened by a token that holds no
    /// longer, or that nobody answers for, has ended when it is `told`. Sockets whose token was refreshed meanwhile stay.
    pub async fn recheck(&self, known: &mut Rechecks, mut told: impl FnMut(Lapsed)) {
        let next = Instant::now() + self.between_looks();
        for due in self.look(known) {
            told(self.lapse(due, silence()));
        }
        let next = sleep_until(next);
        pin!(next);
        loop {
            known.ask(&self.rules());
            let (due, outcome) = select! {
                () = &mut next => return,
                answer = known.answer() => answer,
            };
            if let Some((due, refusal)) = known.hear(due, outcome, self.now()) {
                told(self.lapse(due, refusal));
            }
        }
    }

    fn between_looks(&self) -> Duration {
        let rules = self.rules();
        let each = rules.issuers.rechecks().into_iter();
        let looks = each.map(|(_, every)| every / LOOKS);
        looks.min().map_or(LONGEST, |it| it.min(LONGEST))
    }

    /// Puts those in line who are due, and returns those who have waited for too long. Tokens without sockets are forgotten.
    fn look(&self, known: &mut Rechecks) -> Vec<Due> {
        let (rules, now) = (self.rules(), self.now());
        known.begin_look(&rules.issuers.rechecks());
        let mut before = std::mem::take(&mut known.tokens);
        let mut doubtful = Vec::new();
        for (token, (due, asked)) in self.tokens_of_open_sockets() {
            let Some(authority) = known.authorities.get_mut(&due.identity.issuer) else {
                continue;
            };
            let standing = before.remove(&token);
            let mut standing = standing.unwrap_or_else(|| Standing::answered(asked));
            standing.look(authority.every, now);
            if standing.is_doubtful(authority.every, now) {
                doubtful.push(due);
                continue;
            }
            if standing.due.is_some() && !standing.is_under_way {
                authority.waiting.push(due);
            }
            known.tokens.insert(token, standing);
        }
        known.take_turns();
        doubtful
    }

    /// Each once, with when it was last asked about for a handshake.
    fn tokens_of_open_sockets(&self) -> HashMap<Arc<str>, (Due, Timestamp)> {
        let mut found = HashMap::new();
        for identity in self.leases().identities(|it| it.introspected.is_some()) {
            let held = identity.introspected.as_ref();
            let Some((token, asked)) = held.and_then(|it| Some((it.token.clone()?, it.asked)))
            else {
                continue;
            };
            let (due, _) = found.entry(token.clone()).or_insert_with(|| {
                let due = Due {
                    token,
                    identity: identity.clone(),
                    is_shared: false,
                };
                (due, asked)
            });
            due.is_shared |= !is_same(&due.identity, &identity);
        }
        found
    }

    /// Takes the token back: its sockets end, and tickets that were got with it open nothing.
    fn lapse(&self, due: Due, refusal: Refusal) -> Lapsed {
        let (identity, rules) = (due.identity, self.rules());
        let ended = match identity.token_id.clone() {
            Some(id) => {
                let issuer = identity.issuer.clone();
                // An application may sign somebody in anew in the same session, and who was not answered for may be well known:
                // they are refused no longer than tickets live.
                let is_passing = rules.issuers.is_application(&issuer) || !is_answer(&refusal);
                let until = match is_passing {
                    true => self.now().after(ticket::LIFETIME),
                    false => identity.expires_at,
                };
                let revocation = Revocation::Token { issuer, id };
                // Without an answer there is none to forget, and all may lapse at once.
                if is_answer(&refusal) {
                    rules.issuers.forget(&revocation);
                }
                match due.is_shared {
                    true => self.end(&revocation, until, EndReason::Revoked),
                    false => self.end_of(&identity, &revocation, until),
                }
            }
            // Each token that was verified has a name.
            None => 0,
        };
        Lapsed {
            identity,
            refusal,
            ended,
        }
    }
}

impl Rechecks {
    fn begin_look(&mut self, rechecks: &[(&str, Duration)]) {
        let mut before = std::mem::take(&mut self.authorities);
        for &(name, every) in rechecks {
            let mut authority = before.remove(name).unwrap_or_default();
            authority.every = every;
            authority.waiting.clear();
            authority.silent = 0;
            self.authorities.insert(name.into(), authority);
        }
    }

    /// In line: each user's first token before anybody's second, so that nobody waits behind another's many; and a token that came
    /// to nothing as if it was one more.
    fn take_turns(&mut self) {
        for authority in self.authorities.values_mut() {
            let mut waiting = std::mem::take(&mut authority.waiting);
            let tokens = &self.tokens;
            let order = |due: &Due| tokens.get(&due.token).map(|it| (it.tries, it.answered));
            waiting.sort_by_cached_key(order);
            let mut of_subject = HashMap::<Box<str>, usize>::new();
            let turn = |due: Due| {
                let before = of_subject.entry(due.identity.subject.clone()).or_default();
                let turn = *before + order(&due).map_or(0, |(tries, _)| tries);
                *before += 1;
                (turn, due)
            };
            let mut turns: Vec<_> = waiting.into_iter().map(turn).collect();
            turns.sort_by_key(|(turn, _)| *turn);
            authority.waiting = turns.into_iter().rev().map(|(_, due)| due).collect();
        }
    }

    /// Asks about as many as may be asked about at once: fewer of an authority that is silent, and then nobody until the next look.
    fn ask(&mut self, rules: &Arc<Rules>) {
        for authority in self.authorities.values_mut() {
            while authority.about.len() + authority.silent < AT_ONCE {
                let Some(due) = authority.waiting.pop() else {
                    break;
                };
                if let Some(standing) = self.tokens.get_mut(&due.token) {
                    standing.is_under_way = true;
                }
                let (rules, issuer) = (rules.clone(), due.identity.issuer.clone());
                let token = due.token.clone();
                let question = authority
                    .questions
                    .spawn(async move { rules.issuers.verify_anew(&issuer, &token).await });
                authority.about.insert(question.id(), due);
            }
        }
    }

    /// What is answered next; never, as long as nothing is under way.
    async fn answer(&mut self) -> (Due, Result<Identity, Denied>) {
        let authorities = &mut self.authorities;
        let next = |context: &mut Context<'_>| {
            let mut each = authorities.values_mut();
            let answer = each.find_map(|it| it.poll_answer(context));
            answer.map_or(Poll::Pending, Poll::Ready)
        };
        poll_fn(next).await
    }

    /// Takes an answer down. Returns why the token holds no longer, if so.
    fn hear(
        &mut self,
        due: Due,
        outcome: Result<Identity, Denied>,
        now: Timestamp,
    ) -> Option<(Due, Refusal)> {
        let authority = self.authorities.get_mut(&due.identity.issuer)?;
        let heard = outcome.as_ref().err().is_none_or(|it| it.heard);
        authority.silent = match heard {
            true => 0,
            false => authority.silent + 1,
        };
        // Without one, its sockets are gone.
        let standing = self.tokens.get_mut(&due.token)?;
        standing.is_under_way = false;
        let refusal = match outcome.map_err(|it| it.refusal) {
            Ok(fresh) if !due.is_shared && is_same(&due.identity, &fresh) => {
                let answered = fresh.introspected.map_or(standing.answered, |it| it.asked);
                *standing = Standing::answered(answered);
                return None;
            }
            Ok(_) => another(),
            Err(refusal) if is_answer(&refusal) => refusal,
            Err(refusal) if standing.is_doubtful(authority.every, now) => refusal,
            Err(_) => {
                standing.tries += 1;
                return None;
            }
        };
        self.tokens.remove(&due.token);
        Some((due, refusal))
    }
}

impl Authority {
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
    ) -> Option<(Due, Result<Identity, Denied>)> {
        while let Poll::Ready(Some(landed)) = self.questions.poll_join_next_with_id(context) {
            let (question, outcome) = match landed {
                Ok((question, outcome)) => (question, outcome),
                // One that is lost is one that nobody answers.
                Err(lost) => (lost.id(), Err(unanswered())),
            };
            if let Some(due) = self.about.remove(&question) {
                return Some((due, outcome));
            }
        }
        None
    }
}

impl Standing {
    fn answered(answered: Timestamp) -> Self {
        Self {
            answered,
            due: None,
            tries: 0,
            is_under_way: false,
        }
    }

    fn look(&mut self, every: Duration, now: Timestamp) {
        if self.answered.after(every) <= now {
            self.due.get_or_insert(now);
        }
    }

    /// A question that is under way has its own end.
    fn is_doubtful(&self, every: Duration, now: Timestamp) -> bool {
        let patience = every / LOOKS * PATIENCE;
        let is_late = self.due.is_some_and(|due| due.after(patience) <= now);
        is_late && !self.is_under_way
    }
}

/// Whether the issuer said so. That it could not be asked says nothing.
fn is_answer(refusal: &Refusal) -> bool {
    refusal.reason.status() != StatusCode::SERVICE_UNAVAILABLE
}

fn another() -> Refusal {
    let refusal = Refusal::new(Stage::Identity, Reason::TokenClaims);
    refusal.because("it stands for somebody else by now")
}

fn silence() -> Refusal {
    let refusal = Refusal::new(Stage::Identity, Reason::ProviderUnavailable);
    refusal.because("its issuer has not answered for too long")
}

fn unanswered() -> Denied {
    let (refusal, heard) = (silence(), false);
    Denied { refusal, heard }
}

/// A token is somebody's for good.
fn is_same(held: &Identity, fresh: &Identity) -> bool {
    held.subject == fresh.subject && held.token_id == fresh.token_id
}

#[cfg(test)]
mod tests;
