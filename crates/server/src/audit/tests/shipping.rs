//! Shipping: what arrives, and that nothing out there holds up the file.

use std::os::{fd::AsRawFd as _, unix::net::UnixDatagram};

use super::*;

fn shipped(path: &Path, ship: Ship, is_required: bool) -> Audit {
    Audit::open(Settings {
        ship: Some(ship),
        ship_required: is_required,
        ..Settings::of(path.to_owned())
    })
    .unwrap()
}

#[test]
fn each_line_arrives_at_a_socket_as_it_stands_in_the_file() {
    let path = folder("syslog");
    let place = path.with_file_name("log");
    let socket = UnixDatagram::bind(&place).unwrap();
    let audit = shipped(&path, Ship::Syslog(place), true);
    audit.record(Event::new("start"));
    audit.record(Event::new("stop"));
    audit.close(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut buffer = [0; 4096];
    for line in text.lines() {
        let size = socket.recv(&mut buffer).unwrap();
        let message = std::str::from_utf8(&buffer[..size]).unwrap();
        assert!(message.starts_with("<110>1 2"), "{message}");
        assert!(message.ends_with(line), "{message}");
    }
    assert!(audit.is_shipping());
}

#[test]
fn a_collector_that_is_away_for_a_while_misses_nothing() {
    let path = folder("away");
    let place = path.with_file_name("log");
    let audit = shipped(&path, Ship::Syslog(place.clone()), false);
    audit.record(Event::new("start"));
    until(|| !audit.is_shipping());
    assert!(audit.is_healthy(), "the file has it");
    let socket = UnixDatagram::bind(&place).unwrap();
    let size = socket.recv(&mut [0; 4096]).unwrap();
    assert!(size > 0);
    until(|| audit.is_shipping());
    assert_eq!(audit.unshipped(), 0);
}

#[test]
fn where_shipping_is_required_the_door_closes_without_it() {
    let path = folder("required");
    let place = path.with_file_name("log");
    let audit = shipped(&path, Ship::Syslog(place.clone()), true);
    audit.record(Event::new("start"));
    until(|| !audit.is_healthy());
    let _socket = UnixDatagram::bind(&place).unwrap();
    until(|| audit.is_healthy());
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nothing_and_what_it_misses_is_counted() {
    let (_reader, pipe) = std::io::pipe().unwrap();
    let number = pipe.as_raw_fd().try_into().unwrap();
    holds_up_nothing("slow-pipe", Ship::Descriptor(number));
}

#[test]
fn a_syslog_that_nobody_reads_holds_up_nothing_and_what_it_misses_is_counted() {
    let place = folder("slow-syslog-place").with_file_name("log");
    let _socket = UnixDatagram::bind(&place).unwrap();
    holds_up_nothing("slow-syslog", Ship::Syslog(place));
}

/// Records more than the queue to a receiver takes, which reads nothing.
fn holds_up_nothing(name: &str, ship: Ship) {
    let path = folder(name);
    let audit = shipped(&path, ship, false);
    let mut event = Event::new("close");
    event.trail.path = Some("\u{202e}".repeat(80).into());
    let long = event.trail;
    let count = 12_000;
    for _ in 0..count {
        audit.record(Event::new("close").about(&long));
    }
    audit.flush(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    // Beside them one may own up already to those that were dropped.
    let recorded = text
        .lines()
        .filter(|line| line.contains("\"event\":\"close\""));
    assert_eq!(recorded.count(), count);
    until(|| audit.unshipped() > 0);
    assert!(audit.is_healthy());
    audit.close(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    let owned: u64 = text
        .lines()
        .filter(|line| line.contains("\"event\":\"unshipped\""))
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["count"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert!(owned > 0 && owned <= audit.unshipped());
}

#[test]
fn a_descriptor_that_was_not_handed_down_is_refused() {
    let path = folder("no-descriptor");
    let settings = |number| Settings {
        ship: Some(Ship::Descriptor(number)),
        ..Settings::of(path.clone())
    };
    let error = Audit::open(settings(987)).err().unwrap().to_string();
    assert!(error.contains("was not handed down"), "{error}");
    let socket = UnixDatagram::unbound().unwrap();
    let number = socket.as_raw_fd().try_into().unwrap();
    let error = Audit::open(settings(number)).err().unwrap().to_string();
    assert!(error.contains("is no pipe"), "{error}");
}
