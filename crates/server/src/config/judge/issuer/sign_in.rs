//! `issuer.sign_in`: who we are to a provider, and where it sends browsers.

use wardwire_admission::{
    host::{HostName, Hosts},
    oidc::CALLBACK,
    origin::Origin,
};

use super::{super::super::file::SignIn, Trial, client};
use crate::outbound;

pub(super) fn judge(trial: &mut Trial<'_, '_>, sign_in: &SignIn) {
    if !outbound::is_fetchable(&trial.issuer.issuer) {
        trial.refuse(
            "issuer",
            "browsers cannot sign in there: the issuer is not an https URL",
            "Write its https URL, exactly as its tokens' `iss` says, or drop `sign_in`.",
        );
    }
    if sign_in.client_id.is_empty() {
        trial.refuse(
            "sign_in.client_id",
            "the client_id is empty",
            "Register this server there as a client, and write the id that it got.",
        );
    }
    callback(trial, sign_in);
    if let Some(after) = &sign_in.after_logout
        && !outbound::is_fetchable(after)
    {
        trial.refuse(
            "sign_in.after_logout",
            "after_logout is not an https URL",
            "Write the address of a page, as it is registered there: \"https://app.example.com/\".",
        );
    }
    let plain = |scope: &String| !scope.is_empty() && scope.bytes().all(|it| it.is_ascii_graphic());
    if !sign_in.scopes.iter().all(plain) {
        trial.refuse(
            "sign_in.scopes",
            "a scope is empty or holds a space",
            "Write each by itself: [\"profile\", \"email\"].",
        );
    }
    if sign_in.idle.0 > sign_in.lifetime.0 {
        trial.refuse(
            "sign_in.idle",
            "a session would be over before it is idle",
            "Make `idle` no longer than `lifetime`.",
        );
    }
    client::judge(trial, "sign_in", &sign_in.proof());
}

fn callback(trial: &mut Trial<'_, '_>, sign_in: &SignIn) {
    let origin = sign_in.callback.strip_suffix(CALLBACK);
    let origin = origin.and_then(Origin::parse).filter(Origin::is_secure);
    let Some(origin) = origin else {
        return trial.refuse(
            "sign_in.callback",
            format!("{:?} is no callback of this server's", sign_in.callback),
            format!("Write \"https://HOST{CALLBACK}\" with a host of this server's, and register just that there."),
        );
    };
    let hosts = &trial.judge.file.server.hosts;
    let named = Hosts::new(hosts.iter().map(String::as_str));
    let host = HostName::parse(origin.host());
    let is_ours = |named: &Hosts| host.is_some_and(|host| named.holds(&host));
    if !hosts.is_empty() && named.is_ok_and(|named| !is_ours(&named)) {
        trial.refuse(
            "sign_in.callback",
            format!(
                "{} is not among server.hosts: browsers would come back to nobody",
                origin.host()
            ),
            "Name one of server.hosts.",
        );
    }
}
