//! `[[channel]]`: who may do what.

use wardwire_hub::rights::{Pattern, Right};

use super::{
    super::{file::Channel, runtime},
    Judge,
};

pub(super) fn judge(judge: &mut Judge<'_>) {
    let mut earlier: Vec<Pattern> = Vec::new();
    let file = judge.file;
    for (index, channel) in file.channel.iter().enumerate() {
        let place = format!("channel.{index}");
        match Pattern::parse(&channel.name) {
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
                channel.name
            ),
            "Name a hole of the channel's pattern.",
        );
    }
}
