//! Open sockets whose token is opaque, or whose session is the application's: whoever vouches for it is asked again and again
//! (RFC 7662), and they end when it says no.
//!
//! INVARIANT: no socket stands on an answer that is older than [`DOUBT`] times what is configured. An issuer that cannot be
//! asked for so long has said no.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::StatusCode;
use tokio::task::JoinSet;

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

/// How many tokens are asked about at the same time.
const AT_ONCE: usize = AGAIN_AT_ONCE;
/// After so many times what is configured a socket that nobody answers for is in doubt.
const DOUBT: u32 = 2;

/// When issuers last answered for the tokens of open sockets.
#[derive(Default)]
pub struct Rechecks(HashMap<Arc<str>, Timestamp>);

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

/// One token of open sockets.
#[derive(Clone)]
struct Due {
    token: Arc<str>,
    identity: Arc<Identity>,
    /// Also of others by now, as it became somebody else's.
    is_shared: bool,
    answered: Timestamp,
}

impl Gate {
    /// How often tokens of open sockets are asked about again. None if they are not.
    #[must_use]
    pub fn recheck_every(&self) -> Option<Duration> {
        let rules = self.rules();
        let each = rules.issuers.rechecks().into_iter();
        each.map(|(_, every)| every).min()
    }

    /// Asks about those that are due, and ends what was opened by those that hold no longer. Sockets whose token was refreshed
    /// meanwhile stay.
    pub async fn recheck(&self, known: &mut Rechecks) -> Vec<Lapsed> {
        let rules = self.rules();
        let rechecks = rules.issuers.rechecks();
        let due = self.due(known, &rechecks);
        let mut lapsed = Vec::new();
        // One that is silent keeps nobody from asking another.
        for ((_, every), due) in rechecks.into_iter().zip(due) {
            lapsed.extend(self.ask_again(&rules, every, due, known).await);
        }
        lapsed
    }

    async fn ask_again(
        &self,
        rules: &Arc<Rules>,
        every: Duration,
        mut due: Vec<Due>,
        known: &mut Rechecks,
    ) -> Vec<Lapsed> {
        due.sort_by_key(|it| it.answered);
        let mut lapsed = Vec::new();
        let mut waiting = due.into_iter();
        loop {
            let batch: Vec<Due> = waiting.by_ref().take(AT_ONCE).collect();
            let asked = batch.len();
            let mut answers = 0;
            for (due, outcome) in ask(rules, batch).await {
                answers += usize::from(outcome.as_ref().err().is_none_or(|it| it.heard));
                match outcome.map_err(|it| it.refusal) {
                    Ok(fresh) if !due.is_shared && is_same(&due.identity, &fresh) => {
                        let answered = fresh.introspected.map_or(due.answered, |it| it.asked);
                        known.0.insert(due.token, answered);
                    }
                    Ok(_) => lapsed.push(self.lapse(due, another())),
                    Err(refusal) if is_answer(&refusal) || in_doubt(&due, every, self.now()) => {
                        lapsed.push(self.lapse(due, refusal));
                    }
                    Err(_) => {}
                }
            }
            // Nobody is there: the others are asked about next time, unless they are in doubt by now.
            if asked == 0 || answers == 0 {
                break;
            }
        }
        let now = self.now();
        let doubtful = waiting.filter(|due| in_doubt(due, every, now));
        lapsed.extend(doubtful.map(|due| self.lapse(due, silence())));
        lapsed
    }

    /// The tokens of open sockets, each once, of which it was not told lately that they hold, by who is asked. Others are
    /// forgotten.
    fn due(&self, known: &mut Rechecks, rechecks: &[(&str, Duration)]) -> Vec<Vec<Due>> {
        let mut before = std::mem::take(&mut known.0);
        let (mut due, now) = (vec![HashMap::new(); rechecks.len()], self.now());
        for identity in self.leases().identities(|it| it.introspected.is_some()) {
            let mut each = rechecks.iter().zip(&mut due);
            let of = each.find(|((issuer, _), _)| *identity.issuer == **issuer);
            let (Some(held), Some(((_, every), due))) = (&identity.introspected, of) else {
                continue;
            };
            let Some(token) = held.token.clone() else {
                continue;
            };
            let answered = before.remove(&token).unwrap_or(held.asked);
            let answered = known.0.get(&token).copied().unwrap_or(answered);
            known.0.insert(token.clone(), answered);
            if answered.after(*every) <= now {
                let due = due.entry(token.clone()).or_insert_with(|| Due {
                    token,
                    identity: identity.clone(),
                    is_shared: false,
                    answered,
                });
                due.is_shared |= !is_same(&due.identity, &identity);
            }
        }
        let each = due.into_iter();
        each.map(|it| it.into_values().collect()).collect()
    }

    /// Takes the token back: its sockets end, and tickets that were got with it open nothing.
    fn lapse(&self, due: Due, refusal: Refusal) -> Lapsed {
        let identity = due.identity;
        let ended = match identity.token_id.clone() {
            Some(id) => {
                let issuer = identity.issuer.clone();
                // An application may sign somebody in anew in the same session: that is refused no longer than tickets live.
                let until = match self.rules().issuers.is_application(&issuer) {
                    true => self.now().after(ticket::LIFETIME),
                    false => identity.expires_at,
                };
                let revocation = Revocation::Token { issuer, id };
                self.end(&revocation, until, EndReason::Revoked)
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

async fn ask(rules: &Arc<Rules>, batch: Vec<Due>) -> Vec<(Due, Result<Identity, Denied>)> {
    let mut asked = JoinSet::new();
    for due in batch {
        let rules = rules.clone();
        asked.spawn(async move {
            let outcome = rules.issuers.verify_anew(&due.identity.issuer, &due.token);
            let outcome = outcome.await;
            (due, outcome)
        });
    }
    let mut outcomes = Vec::new();
    // One that is lost is one that nobody answered for.
    while let Some(outcome) = asked.join_next().await {
        outcomes.extend(outcome);
    }
    outcomes
}

/// Whether the issuer said so. That it could not be asked says nothing.
fn is_answer(refusal: &Refusal) -> bool {
    refusal.reason.status() != StatusCode::SERVICE_UNAVAILABLE
}

fn in_doubt(due: &Due, every: Duration, now: Timestamp) -> bool {
    due.answered.after(every * DOUBT) <= now
}

fn another() -> Refusal {
    let refusal = Refusal::new(Stage::Identity, Reason::TokenClaims);
    refusal.because("it stands for somebody else by now")
}

fn silence() -> Refusal {
    let refusal = Refusal::new(Stage::Identity, Reason::ProviderUnavailable);
    refusal.because("its issuer has not answered for too long")
}

/// A token is somebody's for good.
fn is_same(held: &Identity, fresh: &Identity) -> bool {
    held.subject == fresh.subject && held.token_id == fresh.token_id
}

#[cfg(test)]
mod tests;
