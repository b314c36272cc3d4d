//! `POST /reload`: what an operator's tool is told.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::{Cause, Outcome, Reloader, Report};
use crate::{
    config::Problems,
    http::{json_response, problem},
};

/// Reloads, and tells what came of it. There is nothing to reload where no file was read.
pub(crate) async fn respond(reloader: Option<&std::sync::Arc<Reloader>>) -> Response<Bytes> {
    let Some(reloader) = reloader else {
        return problem(StatusCode::NOT_FOUND, "not-found");
    };
    let outcome = reloader.reload(Cause::Operator).await;
    match &outcome {
        Outcome::Reloaded(report) | Outcome::Unchanged(report) => done(outcome.as_str(), report),
        Outcome::Refused(problems) => refused(problems),
    }
}

fn done(outcome: &str, report: &Report) -> Response<Bytes> {
    let body = json!({
        "outcome": outcome,
        "changed": report.changes.reloaded,
        "needs_restart": report.changes.restart,
        "ended": { "sockets": report.sockets, "subscriptions": report.subscriptions },
    });
    json_response(StatusCode::OK, &body)
}

/// An operator, who has shown the token, is told what is wrong.
fn refused(problems: &Problems) -> Response<Bytes> {
    let body = json!({
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "code": "configuration",
        "detail": "nothing was changed: what was there before goes on",
        "problems": problems.told().collect::<Vec<_>>(),
    });
    let mut response = json_response(StatusCode::UNPROCESSABLE_ENTITY, &body);
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
