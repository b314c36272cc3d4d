//! `history`: reads what is kept of a channel, page by page.

use serde_json::value::RawValue;
use wardwire_hub::{
    HubError, Position,
    engine::{Limit, Page, Range},
    rights::Action,
};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{
        self, Call, RpcError,
        wire::{HistoryParams, HistoryResult},
    },
};

use super::{Method, Outcome, answered, name, publications, result};
use crate::session::{
    Scope,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "history",
    waits: true,
    reads: Some(Action::History),
    call: history,
};

/// The most publications of a page, and how many it has if nobody says.
const PAGE: (u64, u64) = (100, 50);
/// The most bytes of a page.
pub(crate) const BYTES: usize = 256 * 1024;

/// Of which channel, what of it, and how much.
pub(crate) fn wanted(call: &Call<'_>) -> Result<(ChannelName, Range, usize), RpcError> {
    let HistoryParams {
        channel,
        after,
        before,
        limit,
    } = rpc::params(call)?;
    let position = |text: &str, of| Position::parse(text).ok_or_else(|| RpcError::parameter(of));
    let range = match (&after, &before) {
        (None, None) => Range::Newest,
        (Some(after), None) => Range::After(position(after, "after")?),
        (None, Some(before)) => Range::Before(position(before, "before")?),
        (Some(_), Some(_)) => return Err(RpcError::parameter("before")),
    };
    let (most, usual) = PAGE;
    let count = limit.unwrap_or(usual);
    if !(1..=most).contains(&count) {
        return Err(RpcError::parameter("limit"));
    }
    let count = usize::try_from(count).unwrap_or_default();
    Ok((name(&channel)?, range, count))
}

fn history(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let (name, range, count) = wanted(call)?;
    let limit = Limit {
        count,
        // Who asks for many pages at once gets small ones, and at last empty ones.
        bytes: channels.room.min(BYTES),
    };
    let page = channels.member.history(&name, range, limit);
    answered(channels, scope, page, finish)
}

fn finish(
    page: Result<Page, HubError>,
    channels: &mut Channels,
    _: &mut Scope<'_>,
) -> Result<Box<RawValue>, RpcError> {
    let mut page = page.map_err(refused)?;
    fit(&mut page, channels.room);
    let publications = publications(&page.publications, channels)?;
    answer(&page, &publications)
}

/// Leaves a page empty for which there is no room: a log gives one publication, whatever its size.
pub(crate) fn fit(page: &mut Page, room: usize) {
    if room == 0 && !page.publications.is_empty() {
        page.publications.clear();
        page.more = true;
    }
}

/// A page as it is answered.
pub(crate) fn answer(
    page: &Page,
    publications: &[Box<RawValue>],
) -> Result<Box<RawValue>, RpcError> {
    result(&HistoryResult {
        publications: publications.iter().map(|it| &**it).collect(),
        position: page.end.to_string().into(),
        more: page.more,
        complete: page.complete,
    })
}
