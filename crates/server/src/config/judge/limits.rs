//! `[limits]`, and those of routes: none may be so small that nothing works, or so large that it is none.

use std::time::Duration;

use super::{
    super::file::{Compression, Deflate},
    Judge,
};

const MIB: usize = 1024 * 1024;
const GIB: usize = 1024 * MIB;
const FRAGMENTS: u32 = 1 << 20;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let limits = &judge.file.limits;
    let mut within = |name: &str, value: usize, least: usize, most: usize| {
        range(judge, &format!("limits.{name}"), value, least, most);
    };
    within("message", limits.message.0, 1, GIB);
    within(
        "fragments",
        limits.fragments as usize,
        1,
        FRAGMENTS as usize,
    );
    within("outbox", limits.outbox.0, 1024, GIB);
    let sockets = [
        ("connections_per_ip", limits.connections_per_ip),
        ("connections_per_subject", limits.connections_per_subject),
        ("unadmitted", limits.unadmitted),
    ];
    for (name, value) in sockets {
        within(name, value as usize, 1, 1 << 24);
    }
    within("subscriptions", limits.subscriptions, 1, 1 << 20);
    within("channels", limits.channels, 1, 1 << 24);
    if let Some(threads) = &judge.file.server.threads {
        range(judge, "server.threads", *threads.get_ref(), 1, 1024);
    }
    let spans = [
        ("message_time", limits.message_time),
        ("handshake", limits.handshake),
        ("ping", limits.ping),
        ("pong", limits.pong),
    ];
    for (name, span) in spans {
        time(
            judge,
            &format!("limits.{name}"),
            span.0,
            Duration::from_millis(100),
        );
    }
    time(
        judge,
        "server.drain",
        judge.file.server.drain.0,
        Duration::ZERO,
    );
    routes(judge);
}

fn routes(judge: &mut Judge<'_>) {
    let file = judge.file;
    for (index, route) in file.route.iter().enumerate() {
        let place = format!("route.{index}.limits");
        if let Some(message) = route.limits.message {
            range(judge, &format!("{place}.message"), message.0, 1, GIB);
        }
        if let Some(fragments) = route.limits.fragments {
            let place = format!("{place}.fragments");
            range(judge, &place, fragments as usize, 1, FRAGMENTS as usize);
        }
        if let Compression::Tuned(Deflate { threshold, level }) = route.compression {
            let place = |key| format!("route.{index}.compression.{key}");
            range(judge, &place("threshold"), threshold.0, 0, MIB);
            range(judge, &place("level"), usize::from(level), 1, 9);
        }
    }
}

fn range(judge: &mut Judge<'_>, place: &str, value: usize, least: usize, most: usize) {
    if !(least..=most).contains(&value) {
        judge.refuse(
            place,
            format!("{} is {value}", name(place)),
            format!("Choose {least} to {most}."),
        );
    }
}

fn time(judge: &mut Judge<'_>, place: &str, value: Duration, least: Duration) {
    const MOST: Duration = Duration::from_secs(3600);
    if !(least..=MOST).contains(&value) {
        judge.refuse(
            place,
            format!("{} is {value:?}", name(place)),
            format!("Choose {least:?} to \"1h\"."),
        );
    }
}

/// A place as people write it: `route.0.limits.message` is their `limits.message` of a route.
fn name(place: &str) -> String {
    match place
        .strip_prefix("route.")
        .and_then(|it| it.split_once('.'))
    {
        Some((_, rest)) => format!("a route's {rest}"),
        None => place.to_owned(),
    }
}
