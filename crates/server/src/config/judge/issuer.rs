//! `[[issuer]]`: who is believed, and for what.

mod client;
mod introspection;
mod sign_in;

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use wardwire_admission::{
    clock::SystemClock,
    fetch::Nowhere,
    token::{self, Issuers},
};

use super::{
    super::{
        certificate::is_anybodys,
        file::{Issuer, Profile},
        path::{self, FilePath},
        runtime,
    },
    Judge,
};
use crate::outbound;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let without = judge.file.development.without_issuer;
    let asked = judge.file.forward_auth.is_some();
    let nobody = !asked && !judge.file.issuer.iter().any(Issuer::has_users);
    match (nobody, without) {
        (true, true) => judge.warn(
            "development.without_issuer",
            "development.without_issuer is on: nobody can sign in, only anonymous routes can be entered",
            "Never in production. Add an [[issuer]].",
        ),
        (true, false) => judge.refuse(
            "issuer",
            "there is no [[issuer]] of users and no [forward_auth]: nobody could prove who they are",
            "Add [[issuer]] with issuer and audience. For development only: development.without_issuer = true.",
        ),
        (false, true) => judge.warn(
            "development.without_issuer",
            "development.without_issuer is on, but there is an [[issuer]] or [forward_auth]",
            "Drop development.without_issuer.",
        ),
        (false, false) => {}
    }
    let (mut seen, mut names) = (HashSet::new(), HashSet::new());
    let file = judge.file;
    let with_users = file.issuer.iter().filter(|it| it.has_users());
    let with_users: HashSet<_> = with_users.map(|it| &it.issuer).collect();
    for (index, issuer) in file.issuer.iter().enumerate() {
        let place = format!("issuer.{index}");
        let own = format!("{place}.");
        let sound = !judge
            .trial
            .out_of_range
            .iter()
            .any(|it| it.starts_with(&own));
        let mut trial = Trial {
            judge: &mut *judge,
            issuer,
            place,
            sound,
        };
        if !seen.insert(&issuer.issuer) {
            trial.refuse(
                "issuer",
                "this issuer stands twice",
                "Give it one [[issuer]].",
            );
        }
        match &issuer.name {
            None if !issuer.has_users() => {}
            None if with_users.len() > 1 || asked => trial.refuse(
                "issuer",
                "there are several issuers, and this one has no `name`: their users could pass for one another",
                "Give each a name of its own: name = \"staff\". Its users are then staff:SUB.",
            ),
            Some(name) if !token::is_name(name) => trial.refuse(
                "name",
                format!("{name:?} is no name for an issuer"),
                "Write 1 to 32 of a-z, 0-9, - and _.",
            ),
            Some(name) if !names.insert(name) => trial.refuse(
                "name",
                "two issuers have this name: their users could pass for one another",
                "Give each a name of its own.",
            ),
            _ => {}
        }
        trial.terms();
        trial.algorithms();
        trial.keys();
        trial.authority();
        trial.owned();
        if let Some(sign_in) = &issuer.sign_in {
            sign_in::judge(&mut trial, sign_in);
        }
        if let Some(asked) = &issuer.introspection {
            introspection::judge(&mut trial, asked);
        }
        trial.last();
    }
}

/// One issuer on trial.
struct Trial<'a, 'b> {
    judge: &'a mut Judge<'b>,
    issuer: &'a Issuer,
    place: String,
    sound: bool,
}

impl Trial<'_, '_> {
    fn refuse(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.sound = false;
        self.judge
            .refuse(&format!("{}.{key}", self.place), message, remedy);
    }

    fn find(&mut self, key: &str, file: &FilePath) -> Option<PathBuf> {
        let found = self.judge.find(&format!("{}.{key}", self.place), file);
        self.sound &= found.is_some();
        found
    }

    /// What anybody can write vouches for nobody.
    fn owned(&mut self) {
        let files = [
            ("jwks_file", &self.issuer.jwks_file),
            ("ca", &self.issuer.ca),
        ];
        for (key, file) in files {
            // A credential that cannot be found was refused when it was read.
            let path = file
                .as_ref()
                .and_then(|it| self.judge.trial.folder.find(it).ok());
            if path.is_some_and(|path| is_anybodys(&path)) {
                let message = format!("the {key} can be written by everybody");
                self.refuse(
                    key,
                    message,
                    "Run `chmod o-w` on it, and look who is in it.",
                );
            }
        }
    }

    fn terms(&mut self) {
        let issuer = self.issuer;
        if issuer.issuer.is_empty() {
            self.refuse(
                "issuer",
                "the issuer is empty",
                "Write the issuer's URL, exactly as its tokens' `iss` does.",
            );
        }
        if issuer.signs.is_empty() {
            self.refuse(
                "signs",
                "the issuer signs nothing that would be believed",
                "Write signs = [\"tokens\"], or [\"grants\"], or both.",
            );
        }
        let of_users = [
            ("name", issuer.name.is_some()),
            ("sign_in", issuer.sign_in.is_some()),
            ("introspection", issuer.introspection.is_some()),
        ];
        if let Some((key, _)) = of_users.iter().find(|(_, is_there)| *is_there)
            && !issuer.has_users()
            && issuer.grants()
        {
            self.refuse(
                key,
                format!("an issuer of grants alone has no users, so that `{key}` would do nothing"),
                format!("Drop `{key}`, or write signs = [\"tokens\", \"grants\"]."),
            );
        }
        if issuer.audience.is_empty() && (issuer.sign_in.is_none() || issuer.grants()) {
            self.refuse(
                "audience",
                "the issuer has no `audience`: tokens made for other services would be taken",
                "Add audience = \"wardwire\", and have the issuer put that into its tokens' `aud`. Where browsers only sign in there, add `sign_in`.",
            );
        }
        let name_a_claim = "Name a claim that only access tokens have: discriminator = { claim = \"azp\", equals = \"web\" }.";
        match (issuer.profile, &issuer.discriminator) {
            (Profile::Jwt, None) => self.refuse(
                "profile",
                "profile \"jwt\" needs a `discriminator`: an ID token could pass for an access token",
                name_a_claim,
            ),
            (_, Some(it)) if it.claim.is_empty() || it.equals.is_empty() => self.refuse(
                "discriminator",
                "the discriminator tells nothing apart",
                name_a_claim,
            ),
            (Profile::Rfc9068, Some(_)) => self.refuse(
                "discriminator",
                "a `discriminator` is asked for with profile \"jwt\" only: here nothing would ask for it",
                "Add profile = \"jwt\", or drop the discriminator.",
            ),
            _ => {}
        }
    }

    fn algorithms(&mut self) {
        for (index, algorithm) in self.issuer.algorithms.iter().enumerate() {
            let written = algorithm;
            if written.parse::<token::Algorithm>().is_err() {
                self.refuse(
                    &format!("algorithms.{index}"),
                    format!("the algorithm {written:?} is not taken"),
                    "Asymmetric ones only: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, Ed25519, EdDSA.",
                );
            }
        }
    }

    fn keys(&mut self) {
        let issuer = self.issuer;
        match (&issuer.jwks_url, &issuer.jwks_file) {
            (Some(_), Some(_)) => self.refuse(
                "jwks_file",
                "both `jwks_url` and `jwks_file`",
                "Name one place for the keys.",
            ),
            (Some(url), None) if !outbound::is_fetchable(url) => self.refuse(
                "jwks_url",
                "the jwks_url is not https, or not a URL",
                "Fetch keys over https only, and without a user in the URL.",
            ),
            (None, None) if !outbound::is_fetchable(&issuer.issuer) => self.refuse(
                "issuer",
                "the issuer is not an https URL, so its keys cannot be found",
                "Write its https URL, or name the keys with jwks_url or jwks_file.",
            ),
            (None, Some(file)) => {
                let Some(path) = self.find("jwks_file", file) else {
                    return;
                };
                if let Err(error) = path::read(&path) {
                    self.refuse(
                        "jwks_file",
                        format!("the jwks_file {} cannot be read: {error}", path.display()),
                        "Name a file with a JWK set.",
                    );
                }
            }
            _ => {}
        }
    }

    fn authority(&mut self) {
        let Some(ca) = &self.issuer.ca else { return };
        let remedy = "Name a PEM file with the root certificate.";
        let Some(path) = self.find("ca", ca) else {
            return;
        };
        match path::read(&path) {
            Err(error) => {
                let message = format!("the ca {} cannot be read: {error}", path.display());
                self.refuse("ca", message, remedy);
            }
            Ok(pem) => {
                let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
                if !found.is_ok_and(|found| !found.is_empty()) {
                    self.refuse("ca", "the ca holds no certificate", remedy);
                }
            }
        }
    }

    /// What is left is judged by those who will verify the tokens, the keys of a file among it.
    fn last(&mut self) {
        if !self.sound {
            return;
        }
        let judged = runtime::issuer(self.issuer, self.judge.trial.folder)
            .map_err(|error| error.to_string())
            .and_then(|issuer| {
                Issuers::new(vec![issuer], Arc::new(Nowhere), Arc::new(SystemClock))
                    .map_err(|error| error.to_string())
            });
        if let Err(message) = judged {
            let key = self
                .issuer
                .jwks_file
                .as_ref()
                .map_or("issuer", |_| "jwks_file");
            self.refuse(key, message, "See [[issuer]] in docs/configuration.md.");
        }
    }
}
