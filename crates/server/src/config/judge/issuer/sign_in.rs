//! `issuer.sign_in`: who we are to a provider, and where it sends browsers.

use wardwire_admission::{
    host::{HostName, Hosts},
    oidc::CALLBACK,
    origin::Origin,
};

use super::{
    super::super::{
        certificate::is_shared,
        file::{ClientAuth, SignIn},
        path::FilePath,
        sign_in::settings,
    },
    Trial,
};
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
    proof(trial, sign_in);
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

/// The file that `client_auth` needs is there, ours alone and of use; and no other, which would seem to protect something.
fn proof(trial: &mut Trial<'_, '_>, sign_in: &SignIn) {
    let files = [
        ("sign_in.client_secret_file", &sign_in.client_secret_file),
        ("sign_in.client_key_file", &sign_in.client_key_file),
    ];
    let needed = match sign_in.client_auth {
        ClientAuth::Basic | ClientAuth::Post => Some("sign_in.client_secret_file"),
        ClientAuth::PrivateKey => Some("sign_in.client_key_file"),
        ClientAuth::None => None,
    };
    for (key, file) in files {
        match (needed == Some(key), file) {
            (true, Some(file)) => secret(trial, sign_in, key, file),
            (true, None) => trial.refuse(
                key,
                "there is nothing by which this server could prove to be that client",
                format!("Add {}, or say how else: client_auth = \"private_key\", or \"none\" for a public client.", bare(key)),
            ),
            (false, Some(_)) => trial.refuse(
                key,
                format!("{} is not asked for with this client_auth", bare(key)),
                "Drop it, or change client_auth.",
            ),
            (false, None) => {}
        }
    }
    if sign_in.client_key_id.is_some() && sign_in.client_auth != ClientAuth::PrivateKey {
        trial.refuse(
            "sign_in.client_key_id",
            "client_key_id is not asked for with this client_auth",
            "Drop it, or write client_auth = \"private_key\".",
        );
    }
}

fn secret(trial: &mut Trial<'_, '_>, sign_in: &SignIn, key: &str, file: &FilePath) {
    let Some(path) = trial.find(key, file) else {
        return;
    };
    if is_shared(&path) {
        let message = format!("{} can be read or written by others", path.display());
        let remedy = "Ask the provider for another, which they have not read, and keep it in a file of mode 0600.";
        trial.refuse(key, message, remedy);
    }
    if let Err(error) = settings(sign_in, trial.judge.trial.folder) {
        let message = format!("{} is of no use: {error}", path.display());
        trial.refuse(
            key,
            message,
            "Write what the provider gave, and nothing else, into a file of mode 0600.",
        );
    }
}

fn bare(key: &str) -> &str {
    key.strip_prefix("sign_in.").unwrap_or(key)
}
