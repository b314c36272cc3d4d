//! The one task that renews the certificate, for as long as the server runs. Nothing that an authority does ends it.

use std::{
    future::Future,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use instant_acme::{CertificateIdentifier, Error, RenewalInfo};
use rustls::pki_types::CertificateDer;
use tokio::time::{sleep, timeout};

use super::{Acme, InUse, account, order, schedule, wire::Wire};
use crate::{audit::Event, config::visible, server::Server};

/// Requests of one attempt, beside [`REQUESTS_A_HOST`].
const REQUESTS: u32 = 100;
const REQUESTS_A_HOST: u32 = 12;
/// The longest attempt. The authority's decision and its signature are waited for 90 seconds each.
const ATTEMPT: Duration = Duration::from_secs(300);
const ASK: Duration = Duration::from_secs(60);
/// A clock may be set while nothing is due.
const LOOK: Duration = Duration::from_secs(3600);
/// Of what an authority says, in characters.
const TEXT: usize = 512;
/// When an authority that does not wish anything is asked again, and one that could not be asked.
const NO_WISH: Duration = Duration::from_secs(86_400);
const UNANSWERED: Duration = Duration::from_secs(3600);

/// What is known between two steps.
pub struct Renewal {
    acme: Arc<Acme>,
    server: Arc<Server>,
    /// One after the other.
    failures: u32,
    /// Until then the authority is left alone, whatever is due.
    patient_until: SystemTime,
    wish: Wish,
}

/// When the authority wants the certificate renewed (RFC 9773), and when to ask again.
struct Wish {
    window: Option<Range<SystemTime>>,
    until: SystemTime,
}

impl Wish {
    fn none(until: SystemTime) -> Self {
        Self {
            window: None,
            until,
        }
    }
}

/// Why an attempt came to nothing, and how long the authority asked us to wait.
struct Failed {
    why: String,
    asked: Option<Duration>,
}

impl Renewal {
    /// For this server's certificate.
    #[must_use]
    pub fn new(acme: Arc<Acme>, server: Arc<Server>) -> Self {
        Self {
            acme,
            server,
            failures: 0,
            patient_until: UNIX_EPOCH,
            wish: Wish::none(UNIX_EPOCH),
        }
    }

    /// Renews the certificate until the task is dropped.
    pub async fn run(mut self) {
        loop {
            let now = SystemTime::now();
            if self.acme.expire(now) {
                tracing::error!(
                    "the certificate has expired; nobody is served until there is another"
                );
                self.record("expired", None);
            }
            let in_use = self.acme.in_use.read().clone();
            match in_use {
                Some(it) if self.wish.until <= now => self.wish = self.ask(it.leaf, now).await,
                it => match self.rest(it.as_ref(), now) {
                    Some(rest) => sleep(rest).await,
                    None => self.renew(it.as_ref()).await,
                },
            }
        }
    }

    /// How long there is nothing to do. None if a certificate is due.
    fn rest(&self, in_use: Option<&InUse>, now: SystemTime) -> Option<Duration> {
        let due = in_use.map_or(UNIX_EPOCH, |it| {
            schedule::due(&it.validity, self.wish.window.as_ref(), it.chance)
        });
        let rest = due.max(self.patient_until).duration_since(now).ok();
        let rest = rest.filter(|rest| !rest.is_zero())?;
        let ends = in_use.map_or(LOOK, |it| it.validity.left(now));
        Some(rest.min(ends).min(LOOK))
    }

    async fn renew(&mut self, in_use: Option<&InUse>) {
        match attempt(self.acme.clone()).await {
            Ok(()) => {
                self.failures = 0;
                self.wish = Wish::none(UNIX_EPOCH);
                // One that is old when it comes is not renewed at once.
                let got = self.acme.in_use.read().as_ref().map(|it| it.validity);
                let now = SystemTime::now();
                self.patient_until = now + schedule::pause(got.as_ref(), now);
                self.obtained();
            }
            Err(failed) => {
                self.failures += 1;
                let validity = in_use.map(|it| &it.validity);
                let now = SystemTime::now();
                let wait = schedule::patience(self.failures, validity, now, failed.asked);
                self.patient_until = now + wait;
                self.failed(&failed.why, wait);
            }
        }
    }

    /// Asks the authority when it wants this certificate renewed.
    async fn ask(&self, leaf: CertificateDer<'static>, now: SystemTime) -> Wish {
        match wish(self.acme.clone(), leaf).await {
            Ok(Some((info, lasts))) => {
                let window = info.suggested_window;
                Wish {
                    window: Some(window.start.into()..window.end.into()),
                    until: now + schedule::wish_lasts(lasts),
                }
            }
            Ok(None) => Wish::none(now + NO_WISH),
            Err(why) => {
                let why = readable(&why);
                tracing::info!(why, "the authority could not be asked when to renew");
                Wish::none(now + UNANSWERED)
            }
        }
    }

    fn obtained(&self) {
        self.acme.tally.obtained.inc();
        let hosts = self.acme.settings.hosts.join(", ");
        tracing::info!(hosts, "a certificate was obtained");
        self.record("obtained", Some(hosts));
    }

    fn failed(&self, why: &str, wait: Duration) {
        self.acme.tally.failed.inc();
        let why = readable(why);
        let again_in_seconds = wait.as_secs();
        let in_use = self.acme.in_use.read().as_ref().map(|it| it.validity);
        match in_use.map(|it| (it.left(SystemTime::now()), it.lifetime())) {
            None => tracing::error!(
                why,
                again_in_seconds,
                "there is no certificate, and none was obtained"
            ),
            Some((left, lifetime)) if left < lifetime / 6 => tracing::error!(
                why,
                again_in_seconds,
                expires_in_seconds = left.as_secs(),
                "the certificate is about to expire and was not renewed"
            ),
            Some((left, _)) => tracing::warn!(
                why,
                again_in_seconds,
                expires_in_seconds = left.as_secs(),
                "the certificate was not renewed"
            ),
        }
        self.record("failed", Some(why));
    }

    fn record(&self, reason: &str, detail: Option<String>) {
        let mut event = Event::new("certificate");
        event.outcome.reason = Some(reason.into());
        event.outcome.detail = detail.map(Into::into);
        self.server.audit.record(event);
    }
}

/// Obtains a certificate and takes it into use.
async fn attempt(acme: Arc<Acme>) -> Result<(), Failed> {
    let hosts = u32::try_from(acme.settings.hosts.len()).unwrap_or(u32::MAX);
    let requests = REQUESTS_A_HOST.saturating_mul(hosts);
    let wire = wire(&acme, requests.saturating_add(REQUESTS));
    let asked = wire.clone();
    let outcome = apart(ATTEMPT, async move {
        let in_use = acme.in_use.read().clone();
        let replaces = in_use.and_then(|it| CertificateIdentifier::try_from(&it.leaf).ok());
        let draft = order::obtain(&acme, &wire, replaces).await;
        acme.take(draft.map_err(|error| error.to_string())?)
    });
    outcome.await.flatten().map_err(|why| Failed {
        why,
        asked: asked.asked_to_wait(),
    })
}

/// What the authority says about the renewal of this certificate, and for how long that is good. None if it never does.
async fn wish(
    acme: Arc<Acme>,
    leaf: CertificateDer<'static>,
) -> Result<Option<(RenewalInfo, Duration)>, String> {
    let wire = wire(&acme, REQUESTS);
    let said = apart(ASK, async move {
        // One that does not name its issuer's key cannot be asked for (RFC 9773 §4.1).
        let Ok(identifier) = CertificateIdentifier::try_from(&leaf) else {
            return Ok(None);
        };
        let known = account::known(&acme, &wire).await;
        let Some((_, account)) = known.map_err(|error| error.to_string())? else {
            return Err("there is no account".to_owned());
        };
        match account.renewal_info(&identifier).await {
            Ok(said) => Ok(Some(said)),
            Err(Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    });
    said.await.flatten()
}

fn wire(acme: &Acme, requests: u32) -> Wire {
    Wire::new(acme.outbound.clone(), &acme.settings.directory, requests)
}

/// Runs something in a task of its own and for so long: neither a panic nor a wait of a foreign client ends the renewal.
async fn apart<T: Send + 'static>(
    time: Duration,
    what: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    match tokio::spawn(timeout(time, what)).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err("it took too long".to_owned()),
        Err(_) => Err("the ACME client broke; please report it".to_owned()),
    }
}

/// What an authority says, as a log takes it.
fn readable(text: &str) -> String {
    visible(&text.chars().take(TEXT).collect::<String>())
}
