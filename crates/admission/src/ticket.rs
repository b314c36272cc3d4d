//! One-time tickets: what a page fetches over HTTPS, where refusals can be read, and brings to the handshake.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    origin::Origin,
    principal::Identity,
    refusal::{Reason, Refusal, Stage},
    secret::{Secret, SecretHash},
};

/// How long a ticket lives.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// How many of one subject may be outstanding.
const PER_SUBJECT: usize = 32;
/// How many in all.
const ALL: usize = 100_000;

/// What a ticket is good for.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Whom it admits; with the session it was issued in.
    pub identity: Arc<Identity>,
    /// From which page; none for a client that is no browser.
    pub origin: Option<Origin>,
    /// To which route.
    pub route: Box<str>,
}

/// The tickets that are outstanding.
#[derive(Default)]
pub struct Tickets {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    issued: HashMap<SecretHash, Binding>,
    /// In the order of their end, as all live equally long.
    ends: VecDeque<(Timestamp, SecretHash)>,
    of_subject: HashMap<(Box<str>, Box<str>), usize>,
}

impl Tickets {
    /// Issues one.
    ///
    /// # Errors
    /// Too many are outstanding, or there are no random bytes.
    pub fn issue(&self, binding: Binding, now: Timestamp) -> Result<Secret, Refusal> {
        let refuse = |reason| Refusal::new(Stage::Limits, reason).retry_after(LIFETIME);
        let secret =
            Secret::random().map_err(|error| refuse(Reason::KeysUnavailable).because(error))?;
        let mut state = self.state.lock();
        state.prune(now);
        let of_subject = state
            .of_subject
            .get(&subject(&binding))
            .copied()
            .unwrap_or(0);
        if of_subject >= PER_SUBJECT || state.issued.len() >= ALL {
            return Err(refuse(Reason::TooManyTickets));
        }
        *state.of_subject.entry(subject(&binding)).or_default() += 1;
        state.ends.push_back((now.after(LIFETIME), secret.hash()));
        state.issued.insert(secret.hash(), binding);
        Ok(secret)
    }

    /// Takes a ticket: whatever comes of it, it is used up. None if there is no such ticket any more.
    pub fn redeem(&self, ticket: &Secret, now: Timestamp) -> Option<Binding> {
        let mut state = self.state.lock();
        state.prune(now);
        let binding = state.remove(&ticket.hash());
        state.compact();
        binding
    }
}

impl State {
    fn prune(&mut self, now: Timestamp) {
        while let Some(&(end, hash)) = self.ends.front()
            && end <= now
        {
            self.ends.pop_front();
            self.remove(&hash);
        }
    }

    /// Forgets when used tickets would have ended, once they are the most: who uses many leaves room for others.
    fn compact(&mut self) {
        let Self { issued, ends, .. } = self;
        if ends.len() > 2 * issued.len() + 64 {
            ends.retain(|(_, hash)| issued.contains_key(hash));
            ends.shrink_to(2 * issued.len());
        }
    }

    fn remove(&mut self, hash: &SecretHash) -> Option<Binding> {
        let binding = self.issued.remove(hash)?;
        let key = subject(&binding);
        if let Some(count) = self.of_subject.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.of_subject.remove(&key);
            }
        }
        Some(binding)
    }
}

fn subject(binding: &Binding) -> (Box<str>, Box<str>) {
    (
        binding.identity.issuer.clone(),
        binding.identity.subject.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::tests::identity;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn binding(subject: &str) -> Binding {
        Binding {
            identity: Arc::new(identity(subject)),
            origin: None,
            route: "/live".into(),
        }
    }

    #[test]
    fn a_ticket_admits_once() {
        let tickets = Tickets::default();
        let ticket = tickets.issue(binding("alice"), NOW).unwrap();
        assert!(tickets.redeem(&ticket, NOW).is_some());
        assert!(tickets.redeem(&ticket, NOW).is_none());
    }

    #[test]
    fn used_tickets_take_no_room() {
        let tickets = Tickets::default();
        let kept = tickets.issue(binding("bob"), NOW).unwrap();
        for _ in 0..1000 {
            let ticket = tickets.issue(binding("alice"), NOW).unwrap();
            assert!(tickets.redeem(&ticket, NOW).is_some());
        }
        assert!(tickets.state.lock().ends.len() <= 67);
        assert!(tickets.redeem(&kept, NOW).is_some());
    }

    #[test]
    fn what_is_kept_of_used_tickets_is_looked_through_no_more_often_than_it_pays() {
        let tickets = Tickets::default();
        let ends = || tickets.state.lock().ends.len();
        tickets.issue(binding("bob"), NOW).unwrap();
        let mut most = 0;
        for _ in 0..200 {
            let ticket = tickets.issue(binding("alice"), NOW).unwrap();
            tickets.redeem(&ticket, NOW);
            most = most.max(ends());
        }
        assert_eq!(most, 2 + 64, "twice what is outstanding, and 64");
        let crowd = (0..200).map(|at| {
            let subject = format!("user-{at}");
            tickets.issue(binding(&subject), NOW).unwrap()
        });
        let crowd: Vec<_> = crowd.collect();
        let before = ends();
        for ticket in crowd.iter().take(100) {
            tickets.redeem(ticket, NOW);
        }
        assert_eq!(
            ends(),
            before,
            "{before} are not yet more than 2 * 101 + 64"
        );
    }

    /// Else the next ones would make it grow again at once.
    #[test]
    fn forgetting_used_tickets_keeps_room_for_as_many_as_are_outstanding() {
        let tickets = Tickets::default();
        for at in 0..200 {
            tickets.issue(binding(&format!("user-{at}")), NOW).unwrap();
        }
        let mut most = 0;
        loop {
            let ticket = tickets.issue(binding("alice"), NOW).unwrap();
            tickets.redeem(&ticket, NOW);
            let state = tickets.state.lock();
            if state.ends.len() < most {
                assert_eq!(state.ends.len(), 200);
                let room = state.ends.capacity();
                assert!((2 * 200..=most).contains(&room), "{room}");
                return;
            }
            most = state.ends.len();
        }
    }

    #[test]
    fn of_many_threads_exactly_one_redeems() {
        let tickets = Tickets::default();
        for _ in 0..100 {
            let ticket = tickets.issue(binding("alice"), NOW).unwrap();
            let won: usize = std::thread::scope(|scope| {
                let race = || usize::from(tickets.redeem(&ticket, NOW).is_some());
                let racers: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).sum()
            });
            assert_eq!(won, 1);
        }
    }

    #[test]
    fn a_ticket_ends_after_thirty_seconds() {
        let tickets = Tickets::default();
        let early = tickets.issue(binding("alice"), NOW).unwrap();
        let late = tickets.issue(binding("alice"), NOW).unwrap();
        assert!(
            tickets
                .redeem(&early, Timestamp::from_millis(1_029_999))
                .is_some()
        );
        assert!(tickets.redeem(&late, Timestamp::from_secs(1030)).is_none());
    }

    #[test]
    fn one_subject_cannot_hoard_and_nothing_is_kept_after_the_end() {
        let tickets = Tickets::default();
        for _ in 0..PER_SUBJECT {
            tickets.issue(binding("mallory"), NOW).unwrap();
        }
        let refused = tickets.issue(binding("mallory"), NOW).err().unwrap();
        assert_eq!(refused.reason, Reason::TooManyTickets);
        assert!(tickets.issue(binding("alice"), NOW).is_ok());
        assert!(
            tickets
                .issue(binding("mallory"), Timestamp::from_secs(1031))
                .is_ok()
        );
        let state = tickets.state.lock();
        assert_eq!(
            (state.issued.len(), state.ends.len(), state.of_subject.len()),
            (1, 1, 1)
        );
    }
}
