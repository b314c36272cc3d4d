//! One issuer, from its discovery document to what it answers about a token.

use std::{io, time::Duration};

use wardwire_admission::{
    refusal::Reason,
    secret::Secret,
    token::{Algorithm, Issuers, KeySurvey, location, read_object, survey},
};

use super::{
    asking::{Drift, fetch},
    document::Document,
    report::Report,
    sign_in,
};
use crate::{
    config::{Config, FilePath, Introspection, Issuer, Place, read_file},
    outbound::Outbound,
};

/// What is not worth a word.
const CLOSE: Duration = Duration::from_secs(1);
/// The most `leeway` there is.
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

/// A key set: whence, what it says, and by how much the clock is off there.
type KeySet = (String, Vec<u8>, Option<Drift>);

/// One issuer, and who is asked about it.
pub(super) struct Patient<'a> {
    pub(super) config: &'a Config,
    pub(super) issuer: &'a Issuer,
    pub(super) issuers: &'a Issuers,
    out: Outbound,
}

pub(super) async fn examine(
    config: &Config,
    index: usize,
    issuers: &Issuers,
    report: &mut Report,
) -> io::Result<()> {
    let Some(issuer) = config.file.issuer.get(index) else {
        return Ok(());
    };
    let written = match config.written.place(&format!("issuer.{index}.issuer")) {
        Some(Place::Line(line, _)) => format!(" (line {line})"),
        _ => String::new(),
    };
    report.heading(&format!("{}{written}", issuer.issuer));
    let ca = match &issuer.ca {
        Some(ca) => Some(read_file(&config.folder.find(ca)?)?),
        None => None,
    };
    let allow = config.file.outbound.allow.clone();
    let out = Outbound::new(allow, ca.as_slice()).map_err(io::Error::other)?;
    let patient = Patient {
        config,
        issuer,
        issuers,
        out,
    };
    let (document, mut clock) = patient.discovery(report).await;
    clock = clock.or(patient.keys(document.as_ref(), report).await);
    if clock.is_some() || document.is_some() {
        patient.clock(clock, report);
    }
    if let (Some(sign_in), Some(document)) = (&issuer.sign_in, &document) {
        sign_in::examine(&patient, sign_in, document, report).await;
    }
    if let Some(asked) = &issuer.introspection {
        patient
            .introspection(asked, document.as_ref(), report)
            .await;
    }
    Ok(())
}

impl Patient<'_> {
    /// Whether anything would ask for it.
    fn needs_discovery(&self) -> bool {
        let asked = self.issuer.introspection.as_ref();
        let keys = self.issuer.jwks_url.is_none() && self.issuer.jwks_file.is_none();
        keys || self.issuer.sign_in.is_some() || asked.is_some_and(|it| it.endpoint.is_none())
    }

    async fn discovery(&self, report: &mut Report) -> (Option<Document>, Option<Drift>) {
        if !self.needs_discovery() {
            report.good(
                "discovery",
                "not asked for: everything stands in the configuration",
            );
            return (None, None);
        }
        let url = location(&self.issuer.issuer);
        let fetched = match fetch(&self.out, &url).await {
            Ok(fetched) => fetched,
            Err(unread) => {
                report.fault("discovery", unread.cause, &unread.remedy);
                return (None, None);
            }
        };
        let document = match read_object(&fetched.body) {
            Ok(members) => Document(members),
            Err(cause) => {
                report.fault(
                    "discovery",
                    format!("{url}: {cause}"),
                    "Look what is there.",
                );
                return (None, fetched.clock);
            }
        };
        match document.text("issuer") {
            Some(named) if named == self.issuer.issuer => {
                report.good("discovery", format!("{url} names this issuer"));
                (Some(document), fetched.clock)
            }
            named => {
                let named = named.unwrap_or("nobody");
                let remedy =
                    format!("If that is whom you mean, write exactly so: issuer = {named:?}");
                let said =
                    format!("{url} names another issuer, {named}: nothing of it is believed");
                report.fault("discovery", said, &remedy);
                (None, fetched.clock)
            }
        }
    }

    async fn keys(&self, document: Option<&Document>, report: &mut Report) -> Option<Drift> {
        let found = match (&self.issuer.jwks_file, &self.issuer.jwks_url) {
            (Some(file), _) => self.keys_in(file, report),
            (None, url) => {
                let told = document.and_then(|it| it.text("jwks_uri"));
                let place = url.as_deref().or(told);
                if place.is_none() && document.is_some() {
                    let remedy =
                        "Write under this [[issuer]] where they are: jwks_url = \"https://...\"";
                    report.fault("keys", "its document names no jwks_uri", remedy);
                }
                self.keys_at(place?, report).await
            }
        };
        let (whence, body, clock) = found?;
        match survey(&body) {
            Ok(found) => self.judge_keys(&whence, &found, report),
            Err(cause) => {
                let remedy = "Look what is there: it is no JWK set.";
                report.fault("keys", format!("{whence}: {cause}"), remedy);
            }
        }
        clock
    }

    fn keys_in(&self, file: &FilePath, report: &mut Report) -> Option<KeySet> {
        let found = self.config.folder.find(file).map_err(io::Error::from);
        match found.and_then(|it| read_file(&it)) {
            Ok(bytes) => Some((file.to_string(), bytes, None)),
            Err(error) => {
                let remedy = "Name a file with a JWK set.";
                report.fault("keys", format!("{file}: {error}"), remedy);
                None
            }
        }
    }

    async fn keys_at(&self, url: &str, report: &mut Report) -> Option<KeySet> {
        match fetch(&self.out, url).await {
            Ok(fetched) => {
                // A query may hold a key.
                let shown = url.split('?').next().unwrap_or_default();
                Some((shown.to_owned(), fetched.body.to_vec(), fetched.clock))
            }
            Err(unread) => {
                report.fault("keys", unread.cause, &unread.remedy);
                None
            }
        }
    }

    fn judge_keys(&self, whence: &str, found: &KeySurvey, report: &mut Report) {
        let each: Vec<String> = found
            .usable
            .iter()
            .map(|(id, algorithms)| {
                let id = id.as_deref().unwrap_or("without an id");
                format!("{id} ({})", names(algorithms).join(" "))
            })
            .collect();
        let others = match found.others {
            0 => String::new(),
            count => format!("; {count} of no use for signatures here"),
        };
        let said = format!("{} in {whence}: {}{others}", each.len(), each.join(", "));
        let there: Vec<Algorithm> = found.usable.iter().flat_map(|it| it.1.clone()).collect();
        let allowed = self.allowed();
        if there.is_empty() {
            let remedy =
                "Have it publish an ECDSA, Ed25519 or RSA key of 2048 bits or more for signing.";
            report.fault("keys", said, remedy);
        } else if !there.iter().any(|it| allowed.contains(it)) {
            let mut there = names(&there);
            there.dedup();
            let remedy =
                format!("Write under this [[issuer]]: algorithms = {there:?}, or drop the line.");
            let said = format!("{said}; none is for the algorithms {:?}", names(&allowed));
            report.fault("keys", said, &remedy);
        } else {
            report.good("keys", said);
        }
    }

    /// The algorithms that are taken.
    pub(super) fn allowed(&self) -> Vec<Algorithm> {
        let named = self.issuer.algorithms.iter();
        let named: Vec<Algorithm> = named.filter_map(|it| it.parse().ok()).collect();
        match named.is_empty() {
            true => Algorithm::ALL.to_vec(),
            false => named,
        }
    }

    fn clock(&self, clock: Option<Drift>, report: &mut Report) {
        let leeway = self.issuer.leeway.0;
        let (off, how, cost) = match clock {
            None => return report.note("clock", "it does not say what time it is there", ""),
            Some(Drift::Ahead(off)) => (
                off,
                "ahead of",
                "what it issues lies in the future here for so long",
            ),
            Some(Drift::Behind(off)) => {
                (off, "behind", "its tokens end here sooner than it thinks")
            }
        };
        let seconds = off.as_secs_f32();
        if off <= CLOSE {
            return report.good("clock", "goes with this machine's");
        }
        let said = format!("{seconds:.0} s {how} this machine's");
        if off <= leeway {
            return report.good(
                "clock",
                format!("{said}, within the leeway of {}", self.issuer.leeway),
            );
        }
        let wanted = off.as_secs() + 2;
        let remedy = match off < LONGEST_LEEWAY {
            true => format!(
                "Mend the clock that is wrong; or write under this [[issuer]]: leeway = \"{wanted}s\""
            ),
            false => "Mend the clock that is wrong: no leeway is so long.".to_owned(),
        };
        report.fault("clock", format!("{said}: {cost}"), &remedy);
    }

    async fn introspection(
        &self,
        asked: &Introspection,
        document: Option<&Document>,
        report: &mut Report,
    ) {
        let told = document.and_then(|it| it.text("introspection_endpoint"));
        let Some(endpoint) = asked.endpoint.as_deref().or(told) else {
            let remedy =
                "Write under [issuer.introspection] where it is asked: endpoint = \"https://...\"";
            return report.fault(
                "introspection",
                "its document names no introspection_endpoint",
                remedy,
            );
        };
        let methods =
            document.and_then(|it| it.list("introspection_endpoint_auth_methods_supported"));
        if let Some(remedy) = sign_in::unsuited(asked.client_auth, methods.as_deref()) {
            report.note(
                "introspection",
                format!("{endpoint} does not list this client_auth"),
                &remedy,
            );
        }
        // What nobody has can only be inactive, if whoever asks is known there.
        let Ok(invented) = Secret::random() else {
            return;
        };
        match self.issuers.verify(&invented.reveal()).await {
            Err(refusal) if refusal.reason == Reason::TokenInactive => {
                let id = &asked.client_id;
                report.good(
                    "introspection",
                    format!("{endpoint} answers {id:?} about tokens"),
                );
            }
            Err(refusal) => {
                let remedy = "See under [issuer.introspection] that client_id, client_auth and the secret or key are those of a client that may introspect tokens there.";
                report.fault(
                    "introspection",
                    format!("{endpoint}: {}", refusal.detail),
                    remedy,
                );
            }
            Ok(_) => {
                let remedy = "Ask nobody there: it takes what it never issued.";
                report.fault(
                    "introspection",
                    format!("{endpoint} says that an invented token holds"),
                    remedy,
                );
            }
        }
    }
}

pub(super) fn names(algorithms: &[Algorithm]) -> Vec<&'static str> {
    algorithms.iter().map(|it| it.as_str()).collect()
}
