//! `[[channel]]`: who may do what.

use wardwire_hub::rights::{Pattern, Right};

use super::{
    super::{file::Channel, runtime},
    Judge,
};

/// The most publications a history can be told to keep.
const SIZE: usize = 100_000;
const TTL_DAYS: u64 = 365;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let mut earlier: Vec<Pattern> = Vec::new();
    let file = judge.file;
    for (index, channel) in file.channel.iter().enumerate() {
        let place = format!("channel.{index}");
        match Pattern::parse(channel.name.get_ref()) {
            Ok(pattern) => {
                if earlier.iter().any(|other| other.covers(&pattern)) {
                    judge.refuse(
                        &format!("{place}.name"),
                        "a pattern before this one takes all its channels: it would never decide",
                        "The first that fits decides. Move this one up, or drop it.",
                    );
                }
                for (key, right) in [
                    ("subscribe", &channel.subscribe),
                    ("publish", &channel.publish),
                ] {
                    let place = format!("{place}.{key}");
                    holds(judge, &place, channel, &pattern, &runtime::right(right));
                }
                earlier.push(pattern);
            }
            Err(error) => judge.refuse(
                &format!("{place}.name"),
                error.to_string(),
                "Write a pattern like \"chat/{room}\".",
            ),
        }
        history(judge, channel, &format!("{place}.history"));
    }
}

fn holds(judge: &mut Judge<'_>, place: &str, channel: &Channel, pattern: &Pattern, right: &Right) {
    if let Right::Claim { claim, value, .. } = right
        && (claim.is_empty() || value.is_empty())
    {
        judge.refuse(
            place,
            "a right that asks for nothing",
            "Name a claim and what it must be or contain.",
        );
    }
    for hole in right.holes().filter(|hole| !pattern.has_hole(hole)) {
        judge.refuse(
            place,
            format!(
                "a right speaks of {{{}}}, which {:?} does not have",
                hole.escape_debug(),
                channel.name.get_ref()
            ),
            "Name a hole of the channel's pattern.",
        );
    }
}

fn history(judge: &mut Judge<'_>, channel: &Channel, place: &str) {
    let Some(kept) = channel.history else { return };
    if !(1..=SIZE).contains(&kept.size) {
        judge.refuse(
            &format!("{place}.size"),
            format!("a history of {} publications", kept.size),
            format!("Choose 1 to {SIZE}, or drop `history` to keep nothing."),
        );
    }
    let seconds = kept.ttl.0.as_secs();
    if !(1..=TTL_DAYS * 86_400).contains(&seconds) {
        judge.refuse(
            &format!("{place}.ttl"),
            format!("a history of {seconds} s"),
            format!("Choose \"1s\" to \"{TTL_DAYS}d\"."),
        );
    }
}
