//! Keeps a flood from filling the disk, on which everybody's admission hangs: of events that a peer can have as many of as
//! it likes, and that are alike, so many a second are written one by one, and the rest as one counted event.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use super::Event;

/// Events of one kind and address that are written one by one in a second.
const ALIKE: u32 = 100;
/// Events that are counted by one name: whoever fills one up hides nothing of another, such as a ticket behind refusals.
const ALL: u32 = 1000;
const SECOND: Duration = Duration::from_secs(1);

/// The events of the second under way.
pub(super) struct Flood {
    began: Instant,
    written: BTreeMap<&'static str, u32>,
    alike: HashMap<(Kind, Option<IpAddr>), u32>,
    /// By kind only, as there are few kinds and many addresses.
    counted: BTreeMap<Kind, u64>,
}

/// What makes two events alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    /// The name of the event that stands for many.
    pub(super) counted: &'static str,
    pub(super) stage: Option<&'static str>,
    pub(super) reason: Option<Box<str>>,
}

impl Flood {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            written: BTreeMap::new(),
            alike: HashMap::new(),
            counted: BTreeMap::new(),
        }
    }

    /// Whether an event is written itself. If not, it is counted.
    pub(super) fn pass(&mut self, event: &Event) -> bool {
        let Some((kind, peer)) = event.flooding() else {
            return true;
        };
        let written = self.written.entry(kind.counted).or_default();
        if *written < ALL {
            let key = (kind.clone(), peer.map(network));
            let alike = self.alike.entry(key).or_default();
            if *alike < ALIKE {
                *alike += 1;
                *written += 1;
                return true;
            }
        }
        *self.counted.entry(kind).or_default() += 1;
        false
    }

    /// Counts events that were counted elsewhere.
    pub(super) fn add(&mut self, kind: Kind, count: u64) {
        *self.counted.entry(kind).or_default() += count;
    }

    /// Whether the second is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= SECOND
    }

    /// Begins another second if this one is over. Returns what was counted in it.
    pub(super) fn turn(&mut self, now: Instant) -> Vec<Event> {
        if !self.is_over(now) {
            return Vec::new();
        }
        self.began = now;
        self.written = BTreeMap::new();
        self.alike = HashMap::new();
        self.counted()
    }

    /// What was counted so far.
    pub(super) fn counted(&mut self) -> Vec<Event> {
        let counted = std::mem::take(&mut self.counted);
        counted
            .into_iter()
            .map(|(kind, count)| Event::counted(kind, count))
            .collect()
    }
}

/// A whole IPv6 /64 is one household's or host's.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use wardwire_admission::{
        admit::Trail,
        refusal::{Reason, Refusal, Stage},
    };

    use super::{super::chain::Hash, *};

    fn refusal(peer: &str, reason: Reason) -> Event {
        let trail = Trail {
            peer: Some(peer.parse().unwrap()),
            ..Trail::default()
        };
        Event::refusal(&trail, &Refusal::new(Stage::Identity, reason))
    }

    fn passed(flood: &mut Flood, peer: &str, reason: Reason, count: usize) -> usize {
        (0..count)
            .filter(|_| flood.pass(&refusal(peer, reason)))
            .count()
    }

    #[test]
    fn one_peers_flood_is_counted_and_hides_nobody_else() {
        let start = Instant::now();
        let mut flood = Flood::new(start);
        assert_eq!(passed(&mut flood, "192.0.2.1", Reason::TokenKey, 5000), 100);
        assert_eq!(passed(&mut flood, "192.0.2.1", Reason::Revoked, 1), 1);
        assert_eq!(passed(&mut flood, "192.0.2.2", Reason::TokenKey, 1), 1);
        assert!(flood.turn(start).is_empty(), "the second is not over");
        let counted = flood.turn(start + SECOND);
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].outcome.count, Some(4900));
        assert_eq!(passed(&mut flood, "192.0.2.1", Reason::TokenKey, 1), 1);
        assert!(flood.turn(start + 2 * SECOND).is_empty());
    }

    #[test]
    fn many_peers_together_write_no_more_than_so_much() {
        let mut flood = Flood::new(Instant::now());
        let written: usize = (0..5000)
            .map(|n| format!("2001:db8:{n:x}::1"))
            .map(|peer| passed(&mut flood, &peer, Reason::TokenKey, 1))
            .sum();
        assert_eq!(written, 1000);
        assert!(flood.alike.len() <= 1000);
        assert_eq!(flood.counted()[0].outcome.count, Some(4000));
    }

    #[test]
    fn no_noise_of_refusals_hides_what_somebody_got() {
        let mut flood = Flood::new(Instant::now());
        let trail = Trail::default();
        let written = (0..1000)
            .map(|n| format!("2001:db8:{:x}::1", n % 10))
            .map(|peer| passed(&mut flood, &peer, Reason::TokenKey, 1))
            .sum::<usize>();
        assert_eq!(written, 1000);
        assert_eq!(passed(&mut flood, "192.0.2.1", Reason::Revoked, 1), 0);
        assert!(flood.pass(&Event::ticket(&trail, "/live")));
        assert!(flood.pass(&Event::refresh(&trail)));
        assert!(flood.pass(&Event::admin_call(&trail, "GET", 200)));
    }

    #[test]
    fn what_ends_or_takes_something_back_is_always_written() {
        let mut flood = Flood::new(Instant::now());
        let close = Event::close(&Trail::default(), 1000, "");
        let revocation = Event::new("revocation");
        for event in [close, revocation] {
            assert!((0..10_000).all(|_| flood.pass(&event)));
        }
    }

    #[test]
    fn what_an_admitted_peer_can_repeat_is_counted_by_its_own_name() {
        let trail = Trail::default();
        for (event, counted) in [
            (Event::refresh(&trail), "\"refreshes\""),
            (Event::ticket(&trail, "/live"), "\"tickets\""),
            (Event::admin_call(&trail, "GET", 200), "\"admin-calls\""),
            (
                Event::call_refused(&trail, "forbidden", None),
                "\"refusals\"",
            ),
        ] {
            let mut flood = Flood::new(Instant::now());
            let written = (0..150).filter(|_| flood.pass(&event)).count();
            assert_eq!(written, 100, "{counted}");
            let [rest] = &flood.counted()[..] else {
                panic!("not one event for all of {counted}");
            };
            assert_eq!(rest.outcome.count, Some(50));
            let mut line = Vec::new();
            rest.line(0, &Hash::of(&[]), &mut line);
            let line = String::from_utf8(line).unwrap();
            assert!(line.contains(counted), "{line}");
        }
    }
}
