//! Every work by name, and what is measured when nobody names one.

use std::time::Duration;

use crate::{
    Failure,
    client::Group,
    works::{
        Browser, Churn, Echo, FanOut, Guarded, Handshake, IdleMemory, Latency, Market, Opening,
        Presence, Recovery, Revocation, StormHttp2, Subscriptions, Work,
    },
};

/// What a developer wants to know.
const QUICK: [&str; 5] = [
    "echo-64-100-1",
    "echo-64-100-16",
    "fan-out-1000-1",
    "fan-out-1000-16",
    "handshake",
];

/// What a run of everything leaves out, since it tells little more than its neighbours.
const LEFT_OUT: [&str; 7] = [
    "echo-1024-100-16",
    "echo-65536-100-16",
    "echo-1024-1000-1",
    "echo-1024-1000-16",
    "echo-64-1000-16",
    "echo-65536-1000-1",
    "echo-65536-1000-16",
];

/// What channels cost, and taking users back: Wardwire alone. Measured and told apart from everything else.
const CHANNELS: [&str; 6] = [
    "fan-out-guarded-1000",
    "market-1000",
    "memory-subscriptions-1000",
    "recovery-10000",
    "presence-10000",
    "revocation-10000",
];

/// What opening a socket takes from far away: also Wardwire alone, and told apart.
const OPENING: &str = "opening";

/// `all`, `channels`, `quick`, a work's name, or the first words of several: `echo`, `echo-64`.
pub(crate) fn works(name: &str, sockets: Option<usize>) -> Result<Vec<Box<dyn Work>>, Failure> {
    let wanted = |work: &dyn Work| {
        let its = work.name();
        match name {
            "all" => !LEFT_OUT.contains(&&*its) && !CHANNELS.contains(&&*its) && its != OPENING,
            "channels" => CHANNELS.contains(&&*its),
            "quick" => QUICK.contains(&&*its),
            name => its
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        }
    };
    let mut works = every(sockets);
    // A name that is one work's own means no other.
    if works.iter().any(|work| work.name() == name) {
        works.retain(|work| work.name() == name);
    } else {
        works.retain(|work| wanted(&**work));
    }
    match works.is_empty() {
        false => Ok(works),
        true => {
            let names: Vec<String> = every(sockets).iter().map(|work| work.name()).collect();
            Err(format!("There is no such work. There are: {}", names.join(", ")).into())
        }
    }
}

fn every(sockets: Option<usize>) -> Vec<Box<dyn Work>> {
    let mut works: Vec<Box<dyn Work>> = Vec::new();
    let crowds = sockets.map_or_else(|| vec![100, 1000], |one| vec![one]);
    for sockets in crowds {
        for bytes in [64, 1024, 65_536] {
            for in_flight in [1, 16] {
                works.push(Box::new(Echo {
                    bytes,
                    sockets,
                    in_flight,
                }));
            }
        }
    }
    works.push(Box::new(Browser {
        bytes: 64,
        sockets: sockets.unwrap_or(100),
    }));
    for in_flight in [1, 16] {
        works.push(Box::new(FanOut {
            followers: sockets.unwrap_or(1000),
            in_flight,
        }));
    }
    works.push(Box::new(Guarded {
        followers: sockets.unwrap_or(1000),
    }));
    works.push(Box::new(Market {
        readers: sockets.unwrap_or(1000),
        span: Duration::from_secs(8),
    }));
    for group in [Group::X25519, Group::X25519MlKem768] {
        works.push(Box::new(Handshake { group, at_once: 64 }));
    }
    for crowding in [false, true] {
        works.push(Box::new(IdleMemory {
            sockets: sockets.unwrap_or(10_000),
            crowding,
        }));
    }
    works.push(Box::new(Churn {
        connections: sockets.unwrap_or(100_000),
    }));
    works.push(Box::new(Latency {
        followers: sockets.unwrap_or(500),
        rate: 20,
        span: Duration::from_secs(8),
        revoked: 5_000,
    }));
    works.push(Box::new(Revocation {
        sockets: sockets.unwrap_or(10_000),
        revoked: 500,
    }));
    works.push(Box::new(Subscriptions {
        sockets: sockets.unwrap_or(1000),
    }));
    works.push(Box::new(Recovery {
        readers: sockets.unwrap_or(10_000),
    }));
    works.push(Box::new(Presence {
        members: sockets.unwrap_or(10_000),
    }));
    works.push(Box::new(Opening));
    works.push(Box::new(StormHttp2 {
        followers: sockets.unwrap_or(100),
        rate: 50,
        span: Duration::from_secs(8),
    }));
    works
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> Vec<String> {
        let works = works(name, None).unwrap();
        works.iter().map(|work| work.name()).collect()
    }

    #[test]
    fn a_name_is_one_work_and_its_first_words_are_many() {
        assert_eq!(names("handshake"), ["handshake"]);
        assert_eq!(names("echo-64-100-1"), ["echo-64-100-1"]);
        let fan_outs = ["fan-out-1000-1", "fan-out-1000-16", "fan-out-guarded-1000"];
        assert_eq!(names("fan-out"), fan_outs);
        assert!(works("echo-6", None).is_err());
    }

    #[test]
    fn lists_name_works_that_there_are() {
        let every: Vec<String> = every(None).iter().map(|work| work.name()).collect();
        for name in QUICK.iter().chain(&LEFT_OUT).chain(&CHANNELS) {
            assert!(every.contains(&(*name).to_owned()), "{name}");
        }
        assert_eq!(names("quick").len(), QUICK.len());
        assert_eq!(names("channels").len(), CHANNELS.len());
    }
}
