//! The application that is asked who its cookies are: whether it answers, and takes nobody for somebody.

use std::io;

use http::HeaderMap;
use wardwire_admission::fetch::Fetch as _;

use super::{asking::explained, report::Report};
use crate::{
    config::{Config, read_file},
    outbound::Outbound,
};

pub(super) async fn examine(config: &Config, report: &mut Report) -> io::Result<()> {
    let Some(asked) = &config.file.forward_auth else {
        return Ok(());
    };
    report.heading(&format!("{} (forward_auth)", asked.url));
    let ca = match &asked.ca {
        Some(ca) => Some(read_file(&config.folder.find(ca)?)?),
        None => None,
    };
    let allow = config.file.outbound.allow.clone();
    let out = Outbound::new(allow, ca.as_slice()).map_err(io::Error::other)?;
    let out = out.within(asked.timeout.0);
    match out.get_with(&asked.url, &HeaderMap::new()).await {
        Err(error) => {
            let unread = explained(error);
            report.fault("answer", unread.cause, &unread.remedy);
        }
        Ok(reply) => match reply.status {
            204 | 401 => report.good("answer", format!("{} without a cookie", reply.status)),
            200 => report.fault(
                "answer",
                "200 without a cookie: whoever invents a cookie may be taken for somebody",
                "Have the application answer 401 or 204 where there is no session.",
            ),
            status => report.fault(
                "answer",
                format!("{status} without a cookie, which opens nothing: sockets get 503"),
                "Have the application answer 401 or 204 where there is no session, and 200 with {\"sub\": \"...\"} where there is one.",
            ),
        },
    }
    Ok(())
}
