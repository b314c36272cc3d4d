//! Keys that the file's shape does not have, each with the one that was probably meant.

use toml::de::{DeTable, DeValue};

use super::Problem;

/// The keys of each table. A test holds this against the shape itself.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "server",
            "audit",
            "admin",
            "outbound",
            "limits",
            "issuer",
            "route",
            "channel",
            "development",
        ],
    ),
    (
        "server",
        &[
            "listen",
            "origins",
            "hosts",
            "tls",
            "proxy_protocol",
            "redirect",
            "redirect_port",
            "drain",
            "threads",
        ],
    ),
    ("server.tls", &["cert", "key", "terminated_by"]),
    ("server.proxy_protocol", &["from"]),
    ("audit", &["file"]),
    ("admin", &["listen", "token_file"]),
    ("outbound", &["allow"]),
    (
        "limits",
        &[
            "message",
            "fragments",
            "message_time",
            "outbox",
            "connections_per_ip",
            "connections_per_subject",
            "unadmitted",
            "handshake",
            "ping",
            "pong",
            "messages_per_second",
            "subscriptions",
            "channels",
        ],
    ),
    (
        "issuer",
        &[
            "issuer",
            "audience",
            "profile",
            "discriminator",
            "algorithms",
            "jwks_url",
            "jwks_file",
            "leeway",
            "ca",
        ],
    ),
    ("issuer.discriminator", &["claim", "equals"]),
    (
        "route",
        &[
            "path",
            "kind",
            "anonymous",
            "native_clients",
            "require",
            "limits",
            "compression",
        ],
    ),
    ("route.require", &["acr", "amr", "max_age"]),
    (
        "route.limits",
        &["message", "fragments", "messages_per_second"],
    ),
    ("route.compression", &["threshold", "level"]),
    ("channel", &["name", "subscribe", "publish", "history"]),
    ("channel.subscribe", &["claim", "contains", "equals"]),
    ("channel.publish", &["claim", "contains", "equals"]),
    ("channel.history", &["size", "ttl"]),
    ("development", &["any_origin", "without_issuer"]),
];

/// Names every unknown key, and takes it out so that the rest can be read.
pub(super) fn take(table: &mut DeTable<'_>, problems: &mut Vec<Problem>) {
    search(table, "", problems);
}

fn search(table: &mut DeTable<'_>, path: &str, problems: &mut Vec<Problem>) {
    let Some((_, known)) = TABLES.iter().find(|(name, _)| *name == path) else {
        return;
    };
    let names = table
        .keys()
        .map(|key| (key.get_ref().to_string(), key.span()));
    let strange: Vec<_> = names
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .collect();
    for (name, span) in strange {
        problems.push(unknown(&name, path, known).at(span));
        table.remove(name.as_str());
    }
    for (key, value) in table.iter_mut() {
        let inner = match path {
            "" => key.get_ref().to_string(),
            _ => format!("{path}.{}", key.get_ref()),
        };
        match value.get_mut() {
            DeValue::Table(table) => search(table, &inner, problems),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(table) = item.get_mut() {
                        search(table, &inner, problems);
                    }
                }
            }
            _ => {}
        }
    }
}

fn unknown(name: &str, path: &str, known: &[&str]) -> Problem {
    let place = if path.is_empty() {
        "the file".to_owned()
    } else {
        format!("[{path}]")
    };
    let near = known
        .iter()
        .map(|key| (strsim::damerau_levenshtein(name, key), key))
        .filter(|(distance, key)| *distance <= key.len().max(3) / 2)
        .min();
    let remedy = match near {
        Some((_, key)) => format!("Did you mean `{key}`?"),
        None => format!("{place} has: {}.", known.join(", ")),
    };
    Problem::new(
        format!("{place} has no key `{}`", name.escape_debug()),
        remedy,
    )
}
