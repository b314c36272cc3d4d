//! The rules of channels, as the hub knows them.

use std::{io, sync::Arc};

use wardwire_hub::{
    content::{Content, Key},
    engine::Latest,
    guard::{ContentRule, Mode},
    rates::Rate,
    rights::{
        BadRight, ChannelRule, ChannelRules, History, Pattern, Presence, Right, Several, Template,
        Test,
    },
};

use crate::config::{
    Config, Folder, file, path,
    right::{self as file_right, PlainRight},
};

/// The rules of channels, as the hub knows them.
///
/// # Errors
/// A schema that was sound a moment ago is not, or gone.
pub fn rules(config: &Config) -> io::Result<ChannelRules> {
    let each = config.file.channel.iter();
    let rules: io::Result<_> = each.map(|it| rule(it, &config.folder)).collect();
    ChannelRules::new(rules?).map_err(io::Error::other)
}

fn rule(channel: &file::Channel, folder: &Folder) -> io::Result<ChannelRule> {
    let kept = channel.history.as_ref();
    let history = kept.map(|kept| History {
        size: kept.size,
        ttl: kept.ttl.0,
    });
    let asked = |written: &file_right::Right| right(written).map_err(io::Error::other);
    let subscribe = asked(&channel.subscribe)?;
    let or_follow = |own: Option<&file_right::Right>| match own {
        Some(own) => asked(own),
        None => Ok(subscribe.clone()),
    };
    let presence = channel.presence.seen();
    let presence = presence.map(|seen| {
        Ok::<_, io::Error>(Presence {
            see: or_follow(seen.see.as_ref())?,
            info: seen.info.into_iter().map(Into::into).collect(),
        })
    });
    Ok(ChannelRule {
        pattern: Pattern::parse(&channel.name).map_err(io::Error::other)?,
        publish: asked(&channel.publish)?,
        history: history.unwrap_or_default(),
        latest: match (&channel.conflate, channel.last_value) {
            (Some(_), _) => Latest::Keys,
            (None, true) => Latest::Channel,
            (None, false) => Latest::Nothing,
        },
        read: or_follow(kept.and_then(|it| it.read.as_ref()))?,
        presence: presence.transpose()?,
        content: content(channel, folder)?,
        subscribe,
    })
}

fn content(channel: &file::Channel, folder: &Folder) -> io::Result<ContentRule> {
    let schema = channel.schema.as_ref().map(|file| {
        let text = path::read_text(&folder.find(file)?)?;
        let content = Content::compile(&text);
        content.map(Arc::new).map_err(io::Error::other)
    });
    Ok(ContentRule {
        schema: schema.transpose()?,
        binary: channel.binary,
        key: (channel.conflate.as_deref())
            .map(|pointer| Key::parse(pointer).ok_or_else(|| io::Error::other("no JSON Pointer")))
            .transpose()?,
        rate: channel.rate.map(|rate| Rate {
            messages: rate.messages,
            bytes: rate.bytes.map(|bytes| bytes.0 as u64),
            per: rate.per.0,
        }),
        mode: match channel.mode {
            file::Mode::Enforce => Mode::Enforce,
            file::Mode::Report => Mode::Report,
        },
    })
}

fn right(right: &file_right::Right) -> Result<Right, BadRight> {
    use file_right::Right as Written;
    let claim = |claim: &str, test, value: &str| {
        Ok(Right::Claim {
            claim: claim.into(),
            test,
            value: Template::parse(value)?,
        })
    };
    let each = |several: &[Written]| -> Result<Several, BadRight> {
        Several::new(several.iter().map(self::right).collect::<Result<_, _>>()?)
    };
    match right {
        Written::Plain(PlainRight::Nobody) => Ok(Right::Nobody),
        Written::Plain(PlainRight::Authenticated) => Ok(Right::Authenticated),
        Written::Plain(PlainRight::Anyone) => Ok(Right::Anyone),
        Written::Plain(PlainRight::Server) => Ok(Right::Server),
        Written::Plain(PlainRight::Granted) => Ok(Right::Granted),
        Written::Scope(it) => Ok(Right::Scope(Template::parse(&it.scope)?)),
        Written::Contains(it) => claim(&it.claim, Test::Contains, &it.contains),
        Written::Equals(it) => claim(&it.claim, Test::Equals, &it.equals),
        Written::Any(it) => Ok(Right::Any(each(&it.any)?)),
        Written::All(it) => Ok(Right::All(each(&it.all)?)),
    }
}
