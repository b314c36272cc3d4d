//! `[[channel]]`: who may do what.

use wardwire_hub::{
    content::{BadSchema, Content},
    rights::{Pattern, Right},
};

use super::{
    super::{
        file::{Channel, Mode},
        path::{self, FilePath},
        runtime,
    },
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
                content(judge, &place, channel);
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

/// What a channel takes: a schema that is understood in every word, and no rule that could never hold.
fn content(judge: &mut Judge<'_>, place: &str, channel: &Channel) {
    if let Some(file) = &channel.schema {
        schema(judge, &format!("{place}.schema"), file);
    }
    if channel.binary && channel.schema.is_some() {
        judge.refuse(
            &format!("{place}.binary"),
            "bytes that a schema is to judge",
            "Drop `schema`, or `binary`: a schema is for JSON.",
        );
    }
    let rate = channel.rate.as_ref();
    if rate.is_some_and(|rate| rate.messages.is_none() && rate.bytes.is_none()) {
        judge.refuse(
            &format!("{place}.rate"),
            "a rate of nothing in particular",
            "Write rate = { messages = 100 }, with bytes = \"1MiB\" too or instead.",
        );
    }
    if channel.mode == Mode::Report && channel.schema.is_none() && rate.is_none() {
        judge.refuse(
            &format!("{place}.mode"),
            "mode = \"report\" where there is nothing to report",
            "Drop it, or add `schema` or `rate`.",
        );
    }
}

fn schema(judge: &mut Judge<'_>, place: &str, file: &FilePath) {
    let Some(path) = judge.find(place, file) else {
        return;
    };
    let text = match path::read_text(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{file}: {error}");
            judge.refuse(place, message, "Name a file with a JSON Schema (2020-12).");
            return;
        }
    };
    if let Err(BadSchema { pointer, line, why }) = Content::compile(&text) {
        judge.refuse(
            place,
            format!("{file}:{line}: at {pointer:?}: {why}"),
            "Mend the schema; docs/channels.md tells what it may hold.",
        );
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
