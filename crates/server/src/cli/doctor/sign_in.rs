//! What a provider has to have where browsers sign in, and what it does about signing out.

use std::time::Duration;

use wardwire_admission::oidc::Known;

use super::{document::Document, issuer::Patient, issuer::names, report::Report};
use crate::{
    config::{ClientAuth, SignIn},
    outbound::is_fetchable,
};

/// Sessions that last no longer are short, where nobody tells of sign-outs.
const SHORT: Duration = Duration::from_secs(3600);

pub(super) async fn examine(
    patient: &Patient<'_>,
    sign_in: &SignIn,
    document: &Document,
    report: &mut Report,
) {
    let before = report.faults();
    for name in ["authorization_endpoint", "token_endpoint"] {
        if !document.text(name).is_some_and(is_fetchable) {
            let remedy =
                "Nobody can sign in there: see that it is an OpenID provider, or drop sign_in.";
            report.fault(
                "sign-in",
                format!("its document names no https {name}"),
                remedy,
            );
        }
    }
    offers(patient, sign_in, document, report);
    if report.faults() == before {
        client(patient, sign_in, document, report).await;
    }
    answers(patient, sign_in, document, report);
    strength(patient, document, report);
    sign_out(sign_in, document, report);
}

/// What it lists of what is asked of it.
fn offers(patient: &Patient<'_>, sign_in: &SignIn, document: &Document, report: &mut Report) {
    let lacks = |name: &str, wanted: &str| {
        let list = document.list(name);
        list.is_some_and(|list| !list.contains(&wanted))
    };
    if lacks("response_types_supported", "code") {
        report.fault(
            "sign-in",
            "it does not offer the code flow",
            "Turn the authorization code flow on there.",
        );
    }
    match document.list("code_challenge_methods_supported") {
        Some(list) if !list.contains(&"S256") => {
            let said = format!("it takes PKCE by {list:?} only: sign-ins are refused");
            report.fault("sign-in", said, "Turn PKCE by S256 on there.");
        }
        Some(_) => report.good("sign-in", "PKCE by S256"),
        None => report.note(
            "sign-in",
            "it does not say whether it takes PKCE; most take it all the same",
            "Demand PKCE by S256 of this client there.",
        ),
    }
    match document.text("pushed_authorization_request_endpoint") {
        Some(place) if !is_fetchable(place) => report.fault(
            "sign-in",
            "its pushed_authorization_request_endpoint is not https: nothing of it is believed",
            "Mend it there.",
        ),
        Some(_) => report.good("sign-in", "requests are left there beforehand (PAR)"),
        None => {}
    }
    for scope in &sign_in.scopes {
        if lacks("scopes_supported", scope) {
            report.note(
                "sign-in",
                format!("it does not list the scope {scope:?}"),
                "See scopes under [issuer.sign_in].",
            );
        }
    }
    let allowed = names(&patient.allowed());
    if let Some(signs) = document.list("id_token_signing_alg_values_supported")
        && !signs.iter().any(|it| allowed.contains(it))
    {
        let remedy = "Have it sign ID tokens by ES256, or see algorithms under this [[issuer]]. Symmetric ones are never taken.";
        report.fault(
            "sign-in",
            format!("it signs ID tokens by {signs:?} only"),
            remedy,
        );
    }
}

/// Whether it knows us.
async fn client(patient: &Patient<'_>, sign_in: &SignIn, document: &Document, report: &mut Report) {
    let methods = document.list("token_endpoint_auth_methods_supported");
    if let Some(remedy) = unsuited(sign_in.client_auth, methods.as_deref()) {
        report.note("client", "it does not list this client_auth", &remedy);
    }
    let id = &sign_in.client_id;
    match patient.issuers.try_client(&patient.issuer.issuer).await {
        Some(Known::Yes) => report.good("client", format!("it knows this server as {id:?}")),
        Some(Known::No(said)) => report.fault(
            "client",
            format!("it does not take this server for {id:?}: {said}"),
            "See under [issuer.sign_in] that client_id, client_auth and the secret or key are those that it gave.",
        ),
        Some(Known::Unclear(said)) => report.note("client", format!("whether it knows this server cannot be told: {said}"), ""),
        None => {}
    }
}

/// Whether its answers can be told from another's (RFC 9207).
fn answers(patient: &Patient<'_>, sign_in: &SignIn, document: &Document, report: &mut Report) {
    let others = patient.config.file.issuer.iter();
    let shared = others.filter_map(|it| it.sign_in.as_ref());
    let shared = shared.filter(|it| it.callback == sign_in.callback).count() > 1;
    match (document.says("authorization_response_iss_parameter_supported"), shared) {
        (true, _) => report.good("answers", "name the issuer"),
        (false, false) => report.note("answers", "do not name the issuer; there is one for this callback, so that is no harm", ""),
        (false, true) => report.fault(
            "answers",
            "do not name the issuer, and another shares its callback: they are refused",
            "Write under [issuer.sign_in] a callback on a host of its own, which is one of server.hosts.",
        ),
    }
}

/// What routes demand of a sign-in.
fn strength(patient: &Patient<'_>, document: &Document, report: &mut Report) {
    let Some(known) = document.list("acr_values_supported") else {
        return;
    };
    for route in &patient.config.file.route {
        let wanted = route.require.acr.as_deref();
        if let Some(acr) = wanted.filter(|acr| !known.contains(acr)) {
            let said = format!(
                "the route {} demands the acr {acr:?}, and it knows {known:?} only",
                route.path
            );
            report.note("strength", said, "See require under that [[route]].");
        }
    }
}

fn sign_out(sign_in: &SignIn, document: &Document, report: &mut Report) {
    match (document.text("end_session_endpoint"), &sign_in.after_logout) {
        (Some(place), _) if is_fetchable(place) => {
            report.good("sign-out", format!("browsers sign out at {place}"))
        }
        (_, None) => report.note(
            "sign-out",
            "it has no place where browsers sign out: users stay signed in there",
            "",
        ),
        (_, Some(_)) => report.note(
            "sign-out",
            "it has no place where browsers sign out, so that after_logout means nothing",
            "Drop after_logout under [issuer.sign_in].",
        ),
    }
    match (document.says("backchannel_logout_supported"), document.says("backchannel_logout_session_supported")) {
        (true, true) => report.good("sign-out", "it tells this server when somebody signs out there, and of which session"),
        (true, false) => report.note("sign-out", "it tells this server when somebody signs out there, but not of which session: all of that user's end", ""),
        (false, _) => {
            let said = format!("it does not say that it tells of sign-outs: sessions here last for {}", sign_in.lifetime);
            report.note("sign-out", said, &shorter(sign_in));
        }
    }
}

/// What to write so that sessions are short: an `idle` that is longer than `lifetime` is refused.
fn shorter(sign_in: &SignIn) -> String {
    if sign_in.lifetime.0 <= SHORT {
        return String::new();
    }
    let idle = match sign_in.idle.0 > SHORT {
        true => ", idle = \"30m\"",
        false => "",
    };
    format!("Make sessions short under [issuer.sign_in]: lifetime = \"1h\"{idle}")
}

/// What to write instead, where a way of proving who one is is not on the list; `client_secret_basic` is all where there is none
/// (OpenID Connect Discovery §3).
pub(super) fn unsuited(auth: ClientAuth, methods: Option<&[&str]>) -> Option<String> {
    let methods = methods.unwrap_or(&["client_secret_basic"]);
    let written = |auth: ClientAuth| match auth {
        ClientAuth::Basic => ("client_secret_basic", "basic"),
        ClientAuth::Post => ("client_secret_post", "post"),
        ClientAuth::PrivateKey => ("private_key_jwt", "private_key"),
        ClientAuth::None => ("none", "none"),
    };
    if methods.contains(&written(auth).0) {
        return None;
    }
    let others = [ClientAuth::PrivateKey, ClientAuth::Basic, ClientAuth::Post];
    let found = others
        .into_iter()
        .find(|it| methods.contains(&written(*it).0));
    Some(match found {
        Some(other) => format!("It lists another: client_auth = {:?}", written(other).1),
        None => format!("It lists {methods:?}, of which none is known here."),
    })
}
