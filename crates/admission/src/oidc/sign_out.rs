//! Signing out: by the user, here and then at the provider (OpenID Connect RP-Initiated Logout 1.0), or by the provider behind
//! the browser's back (Back-Channel Logout 1.0).

use std::{sync::Arc, time::Duration};

use serde::Deserialize;

use super::{Client, form};
use crate::{
    admit::{OriginChecked, Trail},
    clock::Timestamp,
    credential::Credential,
    gate::Gate,
    lease::EndReason,
    principal::Identity,
    refusal::{Reason, Refusal, Stage},
    revocation::{Holder, Revocation},
};

/// The longest `state` that a page may give along, in bytes.
const LONGEST_STATE: usize = 128;
/// How long a provider's session that has ended is remembered: no access token of it lives longer.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a page asks for that signs its user out.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// Comes back with the browser from the provider.
    pub state: Option<String>,
    /// Out of every session that the user has, and of whatever their access tokens opened.
    #[serde(default)]
    pub everywhere: bool,
}

impl Leave {
    /// Reads a form. Where it leads is configured, so that it says nothing but how far it goes; what else stands in it is of
    /// the page.
    ///
    /// # Errors
    /// It does not decode, or says that neither yes nor no.
    pub fn of_form(body: &[u8]) -> Result<Self, Refusal> {
        let bad = |detail: &str| Refusal::new(Stage::Head, Reason::BadBody).because(detail);
        let text = std::str::from_utf8(body).map_err(|_| bad("not a form"))?;
        let mut form = form::read(text).map_err(bad)?;
        let everywhere = match form.remove("everywhere").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(bad("everywhere")),
        };
        Ok(Self {
            state: None,
            everywhere,
        })
    }
}

/// A user who signed out.
pub struct LoggedOut {
    /// How many sockets that ended; none if there was no session.
    pub ended: Option<usize>,
    /// How many sessions, if it was out of all.
    pub sessions: Option<usize>,
    /// With whom they signed in, and the ID token.
    provider: Option<(Arc<Client>, Arc<str>)>,
    state: Option<String>,
}

/// Who reads where the browser goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The browser itself, which is sent there: the ID token goes along as a hint of whom to sign out.
    ToBrowser,
    /// A script, which gets no token to see.
    ToScript,
}

impl LoggedOut {
    /// Where the browser signs out at the provider, which is asked where that is. None if there is no such place, or it
    /// cannot be told.
    pub async fn location(&self, shown: Shown) -> Option<String> {
        let (client, id_token) = self.provider.as_ref()?;
        let metadata = client.metadata().await.ok()?;
        let hint = (shown == Shown::ToBrowser).then_some(&**id_token);
        client.end_session(&metadata, hint, self.state.as_deref())
    }
}

/// Whom a provider signed out.
#[derive(Debug)]
pub struct BackChannel {
    /// The provider.
    pub issuer: Box<str>,
    /// Whom, if it says so.
    pub subject: Option<Box<str>>,
    /// Which of its sessions, if it says so.
    pub session: Option<Box<str>>,
    /// How many of our sessions that ended.
    pub sessions: usize,
    /// How many sockets.
    pub sockets: usize,
}

impl Gate {
    /// Signs out whoever's session cookie a page brings, and all its sockets. Without a session there is nothing to do, unless
    /// it is to be everywhere: only a session that holds says whose others end.
    ///
    /// # Errors
    /// The request does not come from a page, or what the page gives along is too long; or it asks for all sessions of a
    /// user whom it does not prove.
    pub async fn log_out(
        &self,
        checked: &OriginChecked<'_>,
        leave: &Leave,
        trail: &mut Trail,
    ) -> Result<LoggedOut, Refusal> {
        if checked.origin.is_none() {
            return Err(Refusal::new(Stage::Origin, Reason::OriginMissing));
        }
        let plain = |text: &String| {
            (1..=LONGEST_STATE).contains(&text.len())
                && text.bytes().all(|it| it.is_ascii_graphic())
        };
        if leave.state.as_ref().is_some_and(|text| !plain(text)) {
            return Err(Refusal::new(Stage::Head, Reason::BadBody).because("state"));
        }
        let nothing = LoggedOut {
            ended: None,
            sessions: None,
            provider: None,
            state: None,
        };
        let Credential::Session(secret) = Credential::find(checked.headers(), &[])? else {
            return match leave.everywhere {
                true => Err(Refusal::new(Stage::Identity, Reason::CredentialMissing)),
                false => Ok(nothing),
            };
        };
        trail.credential = Some("cookie");
        if leave.everywhere {
            checked.authenticate(self, trail).await?;
        }
        let at_provider = self.sessions().at_provider(&secret);
        let Some(identity) = self.sessions().end(&secret) else {
            return Ok(nothing);
        };
        let (issuer, subject) = (&identity.issuer, &identity.subject);
        trail.issuer = Some(issuer.clone());
        trail.subject = Some(subject.clone());
        let provider = checked.rules.issuers.provider(Some(issuer));
        let client = provider.map(|(_, client)| client.clone());
        // Signed out here in any case: a provider that is down keeps nobody signed in.
        let own = self.sign_out(&identity);
        let others = leave
            .everywhere
            .then(|| self.end_of_subject(issuer, subject, self.now()));
        Ok(LoggedOut {
            ended: own.map(|own| own + others.map_or(0, |(_, sockets)| sockets)),
            sessions: others.map(|(sessions, _)| 1 + sessions),
            provider: client.zip(at_provider.map(|it| it.id_token)),
            state: leave.state.clone(),
        })
    }

    /// Does what a logout token says (Back-Channel Logout §2.5): sessions, tickets and sockets end at once.
    ///
    /// # Errors
    /// [`Reason::LogoutToken`] if there is none that holds, or it was used before; [`Reason::KeysUnavailable`] if that cannot
    /// be told.
    pub async fn back_channel_logout(
        &self,
        checked: &OriginChecked<'_>,
        body: &[u8],
        trail: &mut Trail,
    ) -> Result<BackChannel, Refusal> {
        let refuse =
            |detail: &str| Refusal::new(Stage::Identity, Reason::LogoutToken).because(detail);
        let text = std::str::from_utf8(body).map_err(|_| refuse("not a form"))?;
        let mut form = form::read(text).map_err(refuse)?;
        let token = form.remove("logout_token");
        let token = token.ok_or_else(|| refuse("no logout_token"))?;
        let verified = checked.rules.issuers.verify_logout_token(&token).await;
        let told = verified.map_err(not_taken)?;
        trail.issuer = Some(told.issuer.clone());
        trail.subject = told.subject.clone();
        let (now, issuer) = (self.now(), &told.issuer);
        let named = (issuer.clone(), told.id.clone());
        if !self.used().logout_tokens.note(named, told.ends, now) {
            return Err(refuse("used before"));
        }
        let (sessions, sockets) = match (&told.session, &told.subject) {
            (Some(session), subject) => {
                self.end_at_provider(issuer, session, subject.as_deref(), now)
            }
            (None, Some(subject)) => self.end_of_subject(issuer, subject, now),
            (None, None) => (0, 0),
        };
        Ok(BackChannel {
            issuer: told.issuer,
            subject: told.subject,
            session: told.session,
            sessions,
            sockets,
        })
    }

    /// Ends one of the provider's sessions: what was opened by it here, and whatever a token of it opened. Sessions of the
    /// subject of which the provider never said by which of its own they were opened end too: they may be of this one.
    pub(crate) fn end_at_provider(
        &self,
        issuer: &str,
        session: &str,
        subject: Option<&str>,
        now: Timestamp,
    ) -> (usize, usize) {
        let revocation = Revocation::Session {
            issuer: issuer.into(),
            id: session.into(),
        };
        let until = now.after(REMEMBERED);
        let by_tokens = match subject {
            Some(subject) => {
                let issued_at = None;
                let holder = Holder { subject, issued_at };
                self.end_for(&holder, &revocation, until)
            }
            None => self.end(&revocation, until, EndReason::LoggedOut),
        };
        let mut theirs = self.sessions().end_at_provider(issuer, session);
        theirs.extend(
            subject
                .into_iter()
                .flat_map(|subject| self.sessions().end_unnamed(issuer, subject)),
        );
        (theirs.len(), by_tokens + self.end_each(&theirs))
    }

    /// Ends whatever was opened for a subject up to now.
    fn end_of_subject(&self, issuer: &str, subject: &str, now: Timestamp) -> (usize, usize) {
        let revocation = Revocation::Subject {
            issuer: issuer.into(),
            subject: subject.into(),
            issued_before: now,
        };
        let by_tokens = self.end(&revocation, Timestamp::NEVER, EndReason::LoggedOut);
        let theirs = self.sessions().end_of(issuer, subject);
        (theirs.len(), by_tokens + self.end_each(&theirs))
    }

    fn end_each(&self, theirs: &[Arc<Identity>]) -> usize {
        let ended = theirs.iter().filter_map(|identity| self.sign_out(identity));
        ended.sum()
    }
}

/// Whatever is wrong with a logout token is a bad request (§2.8), but for keys that cannot be had.
fn not_taken(refusal: Refusal) -> Refusal {
    if refusal.reason == Reason::KeysUnavailable {
        return refusal;
    }
    let detail = format!("{}: {}", refusal.reason.code(), refusal.detail);
    Refusal::new(Stage::Identity, Reason::LogoutToken).because(detail)
}
