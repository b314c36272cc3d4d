//! `issuer.introspection`: whom opaque tokens are shown to, and whether what is answered can be believed.

use super::{
    super::super::file::{ClientAuth, Introspection},
    Trial, client,
};
use crate::outbound;

pub(super) fn judge(trial: &mut Trial<'_, '_>, asked: &Introspection) {
    let several = &trial.judge.file.issuer;
    if several
        .iter()
        .filter(|it| it.introspection.is_some())
        .count()
        > 1
    {
        trial.refuse(
            "introspection",
            "several issuers would be asked about opaque tokens, which do not say whose they are: each would be shown those of the others",
            "Leave `introspection` at one issuer. JWTs are told apart by their `iss`.",
        );
    }
    if trial.issuer.audience.is_empty() {
        trial.refuse(
            "introspection",
            "the issuer is asked about tokens, but there is no `audience` that they could mean",
            "Add audience = \"wardwire\", and have the issuer put that into the `aud` of its answers.",
        );
    }
    if asked.client_id.is_empty() {
        trial.refuse(
            "introspection.client_id",
            "the client_id is empty",
            "Register this server there as a client that may introspect tokens, and write the id that it got.",
        );
    }
    match &asked.endpoint {
        Some(url) if !outbound::is_fetchable(url) => trial.refuse(
            "introspection.endpoint",
            "the endpoint is not https, or not a URL",
            "Write its https URL, without a user in it, or drop it: then discovery tells it.",
        ),
        None if !outbound::is_fetchable(&trial.issuer.issuer) => trial.refuse(
            "introspection",
            "the issuer is not an https URL, so where to ask cannot be found",
            "Write the issuer's https URL, or name the place: endpoint = \"https://...\".",
        ),
        _ => {}
    }
    if asked.client_auth == ClientAuth::None {
        trial.refuse(
            "introspection.client_auth",
            "nothing would prove who asks: an issuer that answers anybody lets tokens be tried out",
            "Register a client with a secret or a key there: client_auth = \"basic\" or \"private_key\".",
        );
    }
    client::judge(trial, "introspection", &asked.proof());
}
