//! Signing in: out to the provider, and back with a code.

use std::time::Duration;

use super::{
    Client, Wish,
    attempt::{self, Attempt},
    form, return_to,
};
use crate::{
    admit::{OriginChecked, Trail},
    clock::Timestamp,
    gate::{Gate, GaveWay, OpenedSession},
    origin::{AllowedOrigins, Origin},
    principal::{Identity, Principal, SessionId},
    refusal::{Reason, Refusal, Stage},
    rules::Rules,
    secret::Secret,
    session::AtProvider,
    token::{Answered, Expected},
};

/// The longest `acr_values`, in bytes.
const LONGEST_ACR: usize = 255;
/// The longest code, in bytes.
const LONGEST_CODE: usize = 4096;
/// What a provider may say of a sign-in that came to nothing, as pages are told it (RFC 6749 §4.1.2.1, OpenID Connect Core
/// §3.1.2.6 and Unmet Authentication Requirements).
const DECLINED: [&str; 7] = [
    "access_denied",
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
    "temporarily_unavailable",
    UNMET,
];
/// How somebody has to sign in cannot be met, or was not.
const UNMET: &str = "unmet_authentication_requirements";

/// What a page asks for: `?provider=..&return_to=..&acr_values=..&max_age=..`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The issuer's name here, or its `iss`. Not needed where there is one provider.
    pub provider: Option<String>,
    /// Where it leads back to.
    pub return_to: Option<String>,
    /// How the user has to sign in.
    pub wish: Wish,
}

/// Where a browser goes to sign in, and what it has to bring back.
pub struct Begun {
    /// The provider's.
    pub location: String,
    /// The attempt's cookie: name and value.
    pub cookie: (String, String),
    /// For how long it counts.
    pub lifetime: Duration,
    /// Cookies of older attempts, to be forgotten.
    pub forget: Vec<String>,
}

/// What a provider sends a browser back with.
pub struct Callback {
    state: Secret,
    issuer: Option<String>,
    said: Said,
}

enum Said {
    Code(String),
    Error(String),
}

/// What a sign-in came to.
pub enum Outcome {
    /// Somebody is signed in.
    SignedIn(SignedIn),
    /// The user or the provider did not want it, or not as it was asked for; the page is told by a parameter `error`.
    Declined {
        /// Where the browser goes, with the word.
        location: String,
        /// What is written down.
        refusal: Refusal,
    },
}

/// A session that was opened.
pub struct SignedIn {
    /// The session cookie's value.
    pub secret: Secret,
    /// Where the browser goes.
    pub location: String,
    /// How many sockets ended: of the session that the browser had, and of older ones that are too many by now.
    pub ended: usize,
    /// How many older sessions were.
    pub surplus: usize,
    /// Somebody else's, who had many, as there were too many of all.
    pub gave_way: Option<GaveWay>,
}

impl Login {
    /// Reads a query.
    ///
    /// # Errors
    /// A parameter that there is not, twice, or not what it should be.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let bad = |detail: &str| Refusal::new(Stage::Head, Reason::BadBody).because(detail);
        let mut asked = form::read(query).map_err(bad)?;
        let acr = asked.remove("acr_values");
        let shown = |text: &String| {
            let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            (1..=LONGEST_ACR).contains(&text.len()) && text.bytes().all(plain)
        };
        if acr.as_ref().is_some_and(|text| !shown(text)) {
            return Err(bad("acr_values"));
        }
        let max_age = asked.remove("max_age").map(|text| {
            let age: u32 = text.parse().map_err(|_| bad("max_age"))?;
            Ok(u64::from(age))
        });
        let login = Self {
            provider: asked.remove("provider"),
            return_to: asked.remove("return_to"),
            wish: Wish {
                acr,
                max_age: max_age.transpose()?,
            },
        };
        match asked.is_empty() {
            true => Ok(login),
            false => Err(bad("a parameter that there is not")),
        }
    }
}

impl Callback {
    /// Reads a query. What else a provider adds to it means nothing (RFC 6749 §4.1.2).
    ///
    /// # Errors
    /// It is not the answer to a request of ours.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let mut said = form::read(query).map_err(unknown)?;
        let state = said.remove("state");
        let state = state.as_deref().and_then(Secret::parse);
        let state = state.ok_or_else(|| unknown("no state of ours"))?;
        let said_what = match (said.remove("code"), said.remove("error")) {
            (Some(code), None) if (1..=LONGEST_CODE).contains(&code.len()) => Said::Code(code),
            (None, Some(error)) => Said::Error(error),
            _ => return Err(unknown("neither one code nor one error")),
        };
        Ok(Self {
            state,
            issuer: said.remove("iss"),
            said: said_what,
        })
    }

    /// The cookie of the attempt that it answers, to be forgotten whatever comes of it.
    #[must_use]
    pub fn cookie_name(&self) -> String {
        attempt::cookie_name(&self.state)
    }
}

impl Gate {
    /// Sends a browser to sign in.
    ///
    /// # Errors
    /// No such provider, a page that may not connect here, or a provider that cannot be asked.
    pub async fn begin_sign_in(
        &self,
        checked: &OriginChecked<'_>,
        login: &Login,
    ) -> Result<Begun, Refusal> {
        self.check_draining()?;
        let rules = &checked.rules;
        let named = login.provider.as_deref();
        let provider = rules.issuers.provider(named);
        let (issuer, client) = provider.ok_or_else(|| unknown("no such provider"))?;
        let return_to = judge_return(rules, client, login.return_to.as_deref())?;
        let metadata = client.metadata().await?;
        let random = |_| Refusal::new(Stage::Identity, Reason::ProviderUnavailable);
        let secret = || Secret::random().map_err(random);
        let (state, nonce, verifier) = (secret()?, secret()?, secret()?);
        let ends = self.now().after(Duration::from_secs(attempt::LIFETIME));
        let attempt = Attempt {
            issuer: issuer.to_owned(),
            nonce: nonce.reveal(),
            verifier: verifier.reveal(),
            return_to,
            wish: login.wish.clone(),
            ends: ends.as_millis(),
        };
        let value = self.seal().close(&attempt, &state).map_err(random)?;
        let forget = attempt::surplus(checked.headers(), value.len());
        let asked = client.authorization(&metadata, &attempt, &state, self.now());
        Ok(Begun {
            location: asked.await?,
            cookie: (attempt::cookie_name(&state), value),
            lifetime: Duration::from_secs(attempt::LIFETIME),
            forget,
        })
    }

    /// Takes a browser back from the provider: opens a session, always a new one, in the place of the one it had.
    ///
    /// # Errors
    /// It is not the answer to what this browser asked, the provider is not the one that was asked or takes the code back,
    /// its ID token does not hold, or it cannot be asked.
    pub async fn finish_sign_in(
        &self,
        checked: &OriginChecked<'_>,
        callback: Callback,
        trail: &mut Trail,
    ) -> Result<Outcome, Refusal> {
        self.check_draining()?;
        let now = self.now();
        let attempt = self.seal().open(checked.headers(), &callback.state, now);
        let attempt = attempt.ok_or_else(|| unknown("not begun by this browser, or over"))?;
        // The first answer is the only one, whatever comes of it: a second would have the provider asked again.
        let ends = Timestamp::from_millis(attempt.ends);
        if !self.used().states.note(callback.state.hash(), ends, now) {
            return Err(unknown("answered before"));
        }
        let rules = &checked.rules;
        let provider = rules.issuers.provider(Some(&attempt.issuer));
        let (issuer, client) = provider.ok_or_else(|| unknown("no such provider any more"))?;
        trail.issuer = Some(issuer.into());
        let metadata = client.metadata().await?;
        let named = callback.issuer.as_deref();
        // RFC 9207 §2.4: before anything else of the answer is believed. Where several providers lead back to one place, the
        // answer of one could be taken for that of another (RFC 9700 §4.4.2), so that each has to say whose it is.
        let must = metadata.names_itself || rules.issuers.shares_callback(client);
        if named.map_or(must, |named| named != issuer) {
            let refusal = Refusal::new(Stage::Identity, Reason::SignInIssuer);
            return Err(refusal.because(format_args!("iss {named:?}")));
        }
        let code = match callback.said {
            Said::Code(code) => code,
            Said::Error(error) => return Ok(declined(&attempt, &error)),
        };
        let tokens = client.exchange(&metadata, &code, &attempt, now).await?;
        let expected = Expected {
            issuer,
            client_id: &client.settings().client_id,
            nonce: &attempt.nonce,
            access_token: &tokens.access,
            wish: &attempt.wish,
            asked: attempt.begun(),
        };
        let verified = rules.issuers.verify_id_token(&tokens.id, &expected).await;
        let identity = match verified.map_err(not_taken)? {
            Answered::As(identity) => identity,
            Answered::Less(identity, detail) => {
                trail.subject = Some(identity.subject);
                return Ok(unmet(&attempt, &detail));
            }
        };
        trail.subject = Some(identity.subject.clone());
        let ended = self.forget_session(checked).unwrap_or(0);
        let opened = self.open_for(rules, client, identity, &tokens.id, now)?;
        Ok(Outcome::SignedIn(SignedIn {
            secret: opened.secret,
            location: attempt.return_to,
            ended: ended + opened.ended,
            surplus: opened.surplus,
            gave_way: opened.gave_way,
        }))
    }

    /// Opens a session for somebody who signed in. It counts from `begun`, before the provider was asked: whoever was signed
    /// out everywhere since then is.
    fn open_for(
        &self,
        rules: &std::sync::Arc<Rules>,
        client: &Client,
        verified: Identity,
        id_token: &str,
        begun: Timestamp,
    ) -> Result<OpenedSession, Refusal> {
        let settings = client.settings();
        let at_provider = AtProvider {
            session: verified.session.as_ref().map(|it| it.as_str().into()),
            id_token: id_token.into(),
            idle: settings.idle,
        };
        let identity = Identity {
            session: None,
            // It names the ID token, which opens nothing; the session has a name of its own.
            token_id: None,
            issued_at: Some(begun),
            expires_at: begun.after(settings.lifetime),
            ..verified
        };
        let theirs = at_provider.session.as_deref().map(SessionId::new);
        let of_provider = Principal::User(std::sync::Arc::new(Identity {
            session: theirs,
            ..identity.clone()
        }));
        let opened = self.open_session_at(identity, Some(at_provider), settings.sessions)?;
        // INVARIANT: a session is open before this is asked, and a sign-out at the provider is remembered before it looks for
        // sessions. So of the two at the same instant, one always sees the other; as of a reload.
        let holds = self.check_revoked(&of_provider).map_err(not_taken);
        let holds = holds.and_then(|()| self.check_current(rules));
        if let Err(refusal) = holds {
            self.sessions().end(&opened.secret);
            return Err(refusal);
        }
        Ok(opened)
    }
}

/// The home of addresses without a host: where the provider sends browsers, if that is a page's origin, or else the first page
/// that may connect.
fn judge_return(rules: &Rules, client: &Client, asked: Option<&str>) -> Result<String, Refusal> {
    let refuse = || Refusal::new(Stage::Origin, Reason::SignInReturn);
    let callback = &client.settings().callback;
    let own = callback
        .strip_suffix(super::CALLBACK)
        .and_then(Origin::parse);
    let own = own.ok_or_else(refuse)?;
    let (home, listed) = match &rules.origins {
        AllowedOrigins::Listed(listed) if listed.contains(&own) => (&own, Some(listed)),
        AllowedOrigins::Listed(listed) => (listed.first().ok_or_else(refuse)?, Some(listed)),
        // Any page may connect, in development; sign-ins lead home all the same.
        AllowedOrigins::Any => (&own, None),
    };
    let allows = |origin: &Origin| match listed {
        Some(listed) => listed.contains(origin),
        None => *origin == own,
    };
    return_to::judge(asked, home, allows).ok_or_else(refuse)
}

fn declined(attempt: &Attempt, error: &str) -> Outcome {
    let known = DECLINED.into_iter().find(|known| *known == error);
    let refusal = Refusal::new(Stage::Identity, Reason::SignInRefused);
    Outcome::Declined {
        location: return_to::with(&attempt.return_to, "error", known.unwrap_or("refused")),
        refusal: refusal.because(format_args!("the provider says {error:?}")),
    }
}

/// The provider says that somebody signed in, and not as was asked. The browser keeps the session that it has.
fn unmet(attempt: &Attempt, detail: &str) -> Outcome {
    let refusal = Refusal::new(Stage::Identity, Reason::SignInRefused);
    Outcome::Declined {
        location: return_to::with(&attempt.return_to, "error", UNMET),
        refusal: refusal.because(format_args!("less than was asked for: {detail}")),
    }
}

/// An ID token that does not hold is an answer to a bad request, not a request without proof. Keys that cannot be had are what
/// they are.
fn not_taken(refusal: Refusal) -> Refusal {
    if refusal.reason == Reason::KeysUnavailable {
        return refusal;
    }
    let detail = format!("{}: {}", refusal.reason.code(), refusal.detail);
    Refusal::new(Stage::Identity, Reason::SignInRefused).because(detail)
}

fn unknown(detail: &str) -> Refusal {
    Refusal::new(Stage::Identity, Reason::SignInUnknown).because(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_what_there_is_and_once() {
        let asked = Login::parse("provider=staff&return_to=%2Fa&acr_values=mfa+phr&max_age=0");
        let asked = asked.unwrap();
        assert_eq!(asked.provider.as_deref(), Some("staff"));
        assert_eq!(asked.wish.acr.as_deref(), Some("mfa phr"));
        assert_eq!(asked.wish.max_age, Some(0));
        assert_eq!(Login::parse("").unwrap(), Login::default());
        for query in [
            "provider=a&provider=b",
            "prompt=none",
            "max_age=-1",
            "max_age=1.5",
            "max_age=99999999999",
            "acr_values=",
            "acr_values=a%0d%0ab",
            "redirect_uri=https://evil.example",
        ] {
            assert!(Login::parse(query).is_err(), "{query}");
        }
    }

    #[test]
    fn an_answer_has_a_state_of_ours_and_one_outcome() {
        let state = Secret::random().unwrap().reveal();
        assert!(Callback::parse(&format!("code=c&state={state}&session_state=x")).is_ok());
        assert!(Callback::parse(&format!("error=access_denied&state={state}")).is_ok());
        for query in [
            "code=c".to_owned(),
            "code=c&state=short".to_owned(),
            format!("state={state}"),
            format!("code=&state={state}"),
            format!("code=c&error=e&state={state}"),
            format!("code=c&code=d&state={state}"),
            format!("code=c&state={state}&state={state}"),
            format!("code={}&state={state}", "c".repeat(LONGEST_CODE + 1)),
        ] {
            assert!(Callback::parse(&query).is_err(), "{query}");
        }
    }
}
