//! `[[route]]`: where sockets lead.

use std::collections::HashSet;

use super::{
    super::file::{Kind, Route},
    Judge,
};

pub(super) fn judge(judge: &mut Judge<'_>) {
    let file = judge.file;
    if file.route.is_empty() {
        judge.refuse(
            "route",
            "there is no [[route]]",
            "Add [[route]] with path = \"/live\".",
        );
    }
    let mut seen = HashSet::new();
    for (index, route) in file.route.iter().enumerate() {
        let place = format!("route.{index}");
        path(judge, route, &place);
        require(judge, route, &place);
        if !seen.insert(&route.path) {
            judge.refuse(
                &format!("{place}.path"),
                "two routes have this path",
                "Give each its own.",
            );
        }
    }
    if file.channel.is_empty() && file.route.iter().any(|route| route.kind == Kind::Channels) {
        judge.warn(
            "channel",
            "there is a route to channels but no [[channel]]: nobody may do anything there",
            "Add [[channel]] with name, subscribe and publish.",
        );
    }
}

fn path(judge: &mut Judge<'_>, route: &Route, place: &str) {
    let place = format!("{place}.path");
    let path = &route.path;
    let shaped = path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte))
        && !path.contains("//")
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if !shaped {
        judge.refuse(
            &place,
            format!("{path:?} is not a path"),
            "Begin with one /, and use letters, digits and - . _ ~ between slashes.",
        );
    }
    if path.to_ascii_lowercase().starts_with("/.wardwire") {
        judge.refuse(
            &place,
            "paths under /.wardwire are the server's own",
            "Choose another path.",
        );
    }
}

fn require(judge: &mut Judge<'_>, route: &Route, place: &str) {
    let require = &route.require;
    let place = format!("{place}.require");
    if route.anonymous
        && (require.acr.is_some() || !require.amr.is_empty() || require.max_age.is_some())
    {
        judge.refuse(
            &place,
            "an anonymous route that requires a strong sign-in: whoever brings nothing would pass",
            "Drop `anonymous` or `require`.",
        );
    }
    if require.acr.as_deref() == Some("") || require.amr.iter().any(String::is_empty) {
        judge.refuse(
            &place,
            "an empty requirement",
            "Write what the issuer's tokens say in `acr` and `amr`, or drop it.",
        );
    }
    // `acr_values` of RFC 9470 §3: names with spaces between them, in a quoted string.
    let is_name = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    if !require.acr.iter().flat_map(|it| it.bytes()).all(is_name) {
        judge.refuse(
            &format!("{place}.acr"),
            "no client could be told of this acr: it has a space, a quotation mark, a backslash, or something that is not ASCII",
            "Have the issuer call it by a name or a URI of visible ASCII.",
        );
    }
}
