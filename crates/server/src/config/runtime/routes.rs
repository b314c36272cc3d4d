//! The routes, as admission knows them.

use std::sync::Arc;

use wardwire_admission::route::{Compression, Requirement, Route, RouteKind};
use wardwire_protocol::{connection, deflate::Level};

use crate::config::file::{self, Kind};

/// The routes, as admission knows them.
#[must_use]
pub fn routes(file: &file::File) -> Vec<Route> {
    let limits = &file.limits;
    file.route.iter().map(|it| route(it, limits)).collect()
}

fn route(route: &file::Route, limits: &file::Limits) -> Route {
    let message = route.limits.message.unwrap_or(limits.message).0;
    let socket = connection::Limits {
        message,
        frame: message,
        fragments: route.limits.fragments.unwrap_or(limits.fragments),
        message_time: limits.message_time.0,
        ping_every: limits.ping.0,
        pong_within: limits.pong.0,
        ..connection::Limits::default()
    };
    Route {
        path: route.path.as_str().into(),
        kind: match route.kind {
            Kind::Channels => RouteKind::Channels,
            Kind::Echo => RouteKind::Echo,
        },
        anonymous: route.anonymous,
        native_clients: route.native_clients,
        require: Requirement {
            acr: route.require.acr.as_deref().map(Into::into),
            amr: route
                .require
                .amr
                .iter()
                .map(|method| method.as_str().into())
                .collect(),
            max_age: route.require.max_age.map(|age| age.0),
            client_certificate: route.require.client_certificate,
        },
        limits: Arc::new(socket),
        messages_per_second: route
            .limits
            .messages_per_second
            .unwrap_or(limits.messages_per_second),
        compression: route.compression.deflate().and_then(compression),
    }
}

fn compression(deflate: file::Deflate) -> Option<Compression> {
    Some(Compression {
        threshold: deflate.threshold.0,
        level: Level::new(deflate.level)?,
    })
}
