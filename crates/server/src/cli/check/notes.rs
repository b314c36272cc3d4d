//! What is not safe or not usual about a configuration that is safe enough to start, and why it matters.

use std::time::Duration;

use wardwire_hub::content::{Key, Promised};

use crate::config::{Config, FilePath, Kind, PlainRight, Right, read_file};

/// Each with the key that it is about.
pub(super) fn notes(config: &Config) -> Vec<(String, String)> {
    let mut notes = Notes(Vec::new());
    notes.development(config);
    notes.server(config);
    notes.issuers(config);
    notes.routes(config);
    notes.channels(config);
    notes.0
}

struct Notes(Vec<(String, String)>);

impl Notes {
    fn add(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.0.push((key.into(), text.into()));
    }

    fn development(&mut self, config: &Config) {
        let development = config.file.development;
        if development.any_origin {
            self.add(
                "development.any_origin",
                "NOT SAFE: every page on the web may connect, with the cookies of whoever looks at it.",
            );
        }
        if development.without_issuer {
            self.add(
                "development.without_issuer",
                "NOT SAFE: nobody can sign in, so nobody can be told from anybody.",
            );
        }
    }

    fn server(&mut self, config: &Config) {
        let file = &config.file;
        for (index, host) in file.server.hosts.iter().enumerate() {
            if host.starts_with("*.") {
                let text = format!(
                    "{host} is every host below that name: whoever can make one reaches this server by it."
                );
                self.add(format!("server.hosts.{index}"), text);
            }
        }
        let demanded = file.server.client_certificates.as_ref();
        if demanded.is_some_and(|it| !it.crl.is_empty()) {
            self.add(
                "server.client_certificates.crl",
                "Once a list is out of date, nobody below its issuer comes in: put a new one in its place before, which is read then.",
            );
        }
        if !file.outbound.allow.is_empty() {
            self.add(
                "outbound.allow",
                "What this server asks of others may go to networks that are not public: a name that is made to resolve there reaches them.",
            );
        }
        if file.limits.messages_per_second == 0 {
            self.add(
                "limits.messages_per_second",
                "There is no limit on messages: one socket can keep a core busy.",
            );
        }
        if file.admin.is_none() {
            self.add(
                "admin",
                "There is no admin listener, so nobody can be revoked by hand.",
            );
        }
    }

    fn issuers(&mut self, config: &Config) {
        for (index, issuer) in config.file.issuer.iter().enumerate() {
            let place = format!("issuer.{index}");
            if !issuer.leeway.0.is_zero() {
                let text = format!("Sockets live {} longer than their tokens.", issuer.leeway);
                self.add(format!("{place}.leeway"), text);
            }
            if issuer.max_token_lifetime.0 > Duration::from_secs(24 * 3600) {
                let most = issuer.max_token_lifetime;
                let text = format!("Whoever steals one of its tokens can have it for {most}.");
                self.add(format!("{place}.max_token_lifetime"), text);
            }
            if issuer.jwks_file.is_some() {
                self.add(
                    format!("{place}.jwks_file"),
                    "Its keys stand in a file: one that it takes back is believed until the file is changed and read again.",
                );
            }
            if issuer.ca.is_some() {
                self.add(
                    format!("{place}.ca"),
                    "Its keys are fetched from whoever this authority vouches for, too.",
                );
            }
        }
    }

    fn routes(&mut self, config: &Config) {
        for (index, route) in config.file.route.iter().enumerate() {
            let place = format!("route.{index}");
            let path = &route.path;
            if route.anonymous {
                let whom = match route.require.client_certificate {
                    true => "has a client certificate",
                    false => "looks at an allowed page",
                };
                let text = format!("{path} is open to whoever {whom}, signed in or not.");
                self.add(format!("{place}.anonymous"), text);
            }
            if route.native_clients {
                let text = format!(
                    "{path} takes clients that name no page: the Origin check does not apply to them, a token has to."
                );
                self.add(format!("{place}.native_clients"), text);
            }
            if route.kind == Kind::Echo {
                let text = format!("{path} sends every message back: it is for tests.");
                self.add(format!("{place}.kind"), text);
            }
            if route.limits.messages_per_second == Some(0) {
                let text =
                    format!("{path} has no limit on messages: one socket can keep a core busy.");
                self.add(format!("{place}.limits.messages_per_second"), text);
            }
        }
    }

    fn channels(&mut self, config: &Config) {
        let file = &config.file;
        let open = file
            .route
            .iter()
            .any(|it| it.anonymous && it.kind == Kind::Channels);
        for (index, channel) in file.channel.iter().enumerate() {
            let place = format!("channel.{index}");
            let name = &channel.name;
            let anyone = matches!(channel.publish, Right::Plain(PlainRight::Anyone));
            let users = matches!(channel.publish, Right::Plain(PlainRight::Authenticated));
            if anyone && open {
                let text = format!("Whoever connects may publish to {name}, signed in or not.");
                self.add(format!("{place}.publish"), text);
            } else if anyone || users {
                let text = format!("Every user of every issuer may publish to {name}.");
                self.add(format!("{place}.publish"), text);
            }
            if let Some(key) = &channel.conflate
                && !is_promised(config, channel.schema.as_ref(), key)
            {
                let text = format!(
                    "No schema of {name} makes sure of a string or an integer at {key}: what has none is refused when it is published."
                );
                self.add(format!("{place}.conflate"), text);
            }
            if nobody(&channel.subscribe) && nobody(&channel.publish) {
                let text = format!(
                    "Nobody may follow {name} or publish to it, whatever wider patterns say."
                );
                self.add(format!("{place}.name"), text);
            }
        }
    }
}

/// Whether a schema sees to it that everything has a key.
fn is_promised(config: &Config, schema: Option<&FilePath>, key: &str) -> bool {
    let path = schema.and_then(|file| config.folder.find(file).ok());
    let text = path.and_then(|path| read_file(&path).ok());
    let text = text.and_then(|text| String::from_utf8(text).ok());
    let key = Key::parse(key);
    key.zip(text)
        .is_some_and(|(key, text)| key.promised(&text) == Promised::Always)
}

fn nobody(right: &Right) -> bool {
    matches!(right, Right::Plain(PlainRight::Nobody))
}
