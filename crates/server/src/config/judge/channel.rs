//! `[[channel]]`: who may do what.

use wardwire_hub::{
    content::{BadSchema, Content, Key, Promised},
    rights::{BadTemplate, Conflict, DEPTH, LEAVES, Pattern, Template, conflicts},
};

use super::{
    super::{
        file::{Channel, Mode},
        path::{self, FilePath},
        right::{PlainRight, Presence, Right, Seen},
    },
    Judge,
};

/// The most claims that are told of each who follows.
const CLAIMS: usize = 16;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let file = judge.file;
    // Those that are patterns, each with its place among all.
    let mut patterns: Vec<(usize, Pattern)> = Vec::new();
    for (index, channel) in file.channel.iter().enumerate() {
        let place = format!("channel.{index}");
        match Pattern::parse(&channel.name) {
            Ok(pattern) => {
                for (key, right) in rights(channel) {
                    let mut asked = Asked {
                        judge: &mut *judge,
                        channel,
                        pattern: &pattern,
                        leaves: 0,
                    };
                    asked.right(&format!("{place}.{key}"), right, 0);
                }
                content(judge, &place, channel);
                patterns.push((index, pattern));
            }
            Err(error) => judge.refuse(
                &format!("{place}.name"),
                error.to_string(),
                "Write a pattern like \"chat/{room}\".",
            ),
        }
        info(judge, &place, channel);
    }
    specificity(judge, &patterns);
}

/// Which of two rules decides must not depend on where they stand.
fn specificity(judge: &mut Judge<'_>, patterns: &[(usize, Pattern)]) {
    let only: Vec<_> = patterns.iter().map(|(_, pattern)| pattern).collect();
    for Conflict {
        first,
        second,
        overlap,
    } in conflicts(&only)
    {
        let (Some((first, one)), Some((second, other))) =
            (patterns.get(first), patterns.get(second))
        else {
            continue;
        };
        let line = judge.line(&format!("channel.{first}.name"));
        let (message, remedy) = match overlap {
            None => (
                format!("\"{other}\" is for the same channels as \"{one}\" {line}"),
                "Keep one of the two, with all that is to hold.".to_owned(),
            ),
            Some(overlap) => (
                format!(
                    "\"{overlap}\" fits \"{other}\" here and \"{one}\" {line}, and neither is the more specific"
                ),
                format!(
                    "Say what holds there in a [[channel]] with name = \"{overlap}\", or change one of the two."
                ),
            ),
        };
        judge.refuse(&format!("channel.{second}.name"), message, remedy);
    }
}

/// What a channel takes: a schema that is understood in every word, and no rule that could never hold.
fn content(judge: &mut Judge<'_>, place: &str, channel: &Channel) {
    if let Some(file) = &channel.schema {
        schema(judge, place, file, channel.conflate.as_deref());
    }
    if channel.binary && channel.schema.is_some() {
        judge.refuse(
            &format!("{place}.binary"),
            "bytes that a schema is to judge",
            "Drop `schema`, or `binary`: a schema is for JSON.",
        );
    }
    if let Some(pointer) = &channel.conflate {
        conflate(judge, &format!("{place}.conflate"), pointer, channel);
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

/// Of what a publication is the value.
fn conflate(judge: &mut Judge<'_>, place: &str, pointer: &str, channel: &Channel) {
    if Key::parse(pointer).is_none() {
        judge.refuse(
            place,
            format!("{pointer:?} is no JSON Pointer to a member"),
            "Write one like \"/symbol\" (RFC 6901).",
        );
    }
    if channel.binary {
        judge.refuse(
            place,
            "a key in bytes",
            "Drop `binary`, or `conflate`: a key stands in JSON.",
        );
    }
    if channel.last_value {
        judge.refuse(
            place,
            "the last value of the channel, and of each key too",
            "Drop `last_value`: with `conflate` a new subscriber gets the newest of each.",
        );
    }
}

fn schema(judge: &mut Judge<'_>, channel: &str, file: &FilePath, key: Option<&str>) {
    let place = &format!("{channel}.schema");
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
    let key = key.and_then(Key::parse);
    if let Some(key) = key.filter(|key| key.promised(&text) == Promised::Never) {
        let key = key.as_str();
        judge.refuse(
            &format!("{channel}.conflate"),
            format!("what {file} lets stand at {key:?} is neither a string nor an integer"),
            "Name the place of what tells one value from another.",
        );
    }
}

/// The rights that a channel has, each with its key.
fn rights(channel: &Channel) -> Vec<(&'static str, &Right)> {
    let mut all = vec![
        ("subscribe", &channel.subscribe),
        ("publish", &channel.publish),
    ];
    let read = channel.history.as_ref().and_then(|it| it.read.as_ref());
    all.extend(read.map(|right| ("history.read", right)));
    if let Presence::Tuned(Seen {
        see: Some(right), ..
    }) = &channel.presence
    {
        all.push(("presence.see", right));
    }
    all
}

/// The claims that everybody who sees a channel's followers is told.
fn info(judge: &mut Judge<'_>, place: &str, channel: &Channel) {
    let Presence::Tuned(Seen { info, .. }) = &channel.presence else {
        return;
    };
    let place = format!("{place}.presence.info");
    if info.len() > CLAIMS {
        judge.refuse(
            &place,
            format!("{} claims are told of everybody", info.len()),
            format!("Choose at most {CLAIMS}: each goes to everybody who sees the channel."),
        );
    }
    for (index, claim) in info.iter().enumerate() {
        if claim.is_empty() || info.iter().take(index).any(|it| it == claim) {
            judge.refuse(
                &format!("{place}.{index}"),
                format!("the claim {claim:?} is no name, or stands twice"),
                "Name each claim once, like \"name\".",
            );
        }
    }
}

/// Judges one right of a channel, and all that it is made of.
struct Asked<'a, 'b> {
    judge: &'a mut Judge<'b>,
    channel: &'a Channel,
    pattern: &'a Pattern,
    /// What it asks in all.
    leaves: usize,
}

impl Asked<'_, '_> {
    fn right(&mut self, place: &str, right: &Right, depth: usize) {
        let (key, several) = match right {
            Right::Any(it) => ("any", &it.any),
            Right::All(it) => ("all", &it.all),
            single => return self.leaf(place, single),
        };
        if several.is_empty() {
            let message = format!("`{key}` of no rights");
            let remedy = "Write down a right, or \"nobody\".";
            return self.judge.refuse(place, message, remedy);
        }
        if depth == DEPTH {
            let message = format!("rights in rights, more than {DEPTH} deep");
            let remedy = "Say it in fewer steps; who reads it has to understand it.";
            return self.judge.refuse(place, message, remedy);
        }
        for (index, right) in several.iter().enumerate() {
            self.right(&format!("{place}.{key}.{index}"), right, depth + 1);
        }
    }

    fn leaf(&mut self, place: &str, right: &Right) {
        self.leaves += 1;
        if self.leaves == LEAVES + 1 {
            let message = format!("a right made of more than {LEAVES}");
            let remedy = "Have your issuer say it in one claim, or in a scope.";
            self.judge.refuse(place, message, remedy);
        }
        if let Right::Plain(PlainRight::Server) = right
            && self.judge.file.backend.is_none()
        {
            self.judge.warn(
                place,
                "\"server\" is the right of a backend, and there is none",
                "Add the table [backend], or write \"nobody\".",
            );
        }
        let (claim, value) = match right {
            Right::Scope(it) => ("scope", &it.scope),
            Right::Contains(it) => (&*it.claim, &it.contains),
            Right::Equals(it) => (&*it.claim, &it.equals),
            Right::Plain(_) | Right::Any(_) | Right::All(_) => return,
        };
        let value = match Template::parse(value) {
            Ok(value) if !claim.is_empty() => value,
            Ok(_) => return self.unasked(place, BadTemplate::Empty),
            Err(error) => return self.unasked(place, error),
        };
        for hole in value.holes().filter(|hole| !self.pattern.has_hole(hole)) {
            let hole = hole.escape_debug();
            let message = format!(
                "a right speaks of {{{hole}}}, which {:?} does not have",
                self.channel.name
            );
            let remedy = "Name a hole of the channel's pattern.";
            self.judge.refuse(place, message, remedy);
        }
    }

    fn unasked(&mut self, place: &str, error: BadTemplate) {
        let (message, remedy) = match error {
            BadTemplate::Empty => (
                "a right that asks for nothing".to_owned(),
                "Name a claim and what it must be or contain, or a scope.",
            ),
            BadTemplate::Braces => (
                format!("a right cannot be asked: {error}"),
                "Write holes like {room}, and no brace beside them.",
            ),
            BadTemplate::Adjacent => (
                format!("a right is not for one channel: {error}"),
                "Put a / between the two, as in \"{room}/{seat}\".",
            ),
        };
        self.judge.refuse(place, message, remedy);
    }
}
