//! `[forward_auth]`: the application that is asked who its cookies are.

use schemars::JsonSchema;
use serde::Deserialize;

use super::seconds;
use crate::config::{path::FilePath, units::Span};

/// `[forward_auth]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardAuth {
    /// What this server calls the application: its users are `name:sub`, in `from` and where a right speaks of `sub`. No issuer
    /// has this name, and each has one of its own. A reload that would change it is refused.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub name: String,
    /// Where it is asked, by GET: an https URL, or plain http to a loopback address, `"http://127.0.0.1:3000/whoami"`.
    /// Redirects are not followed. It is the users' issuer in the audit log and in revocations.
    #[schemars(regex(pattern = r"^[Hh][Tt][Tt][Pp][Ss]?://"))]
    pub url: String,
    /// The cookies that are its session: `["sid"]`. It is shown these and no others; a request without any of them has no
    /// session.
    #[serde(default)]
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1)),
        extend("x-required" = true)
    )]
    pub cookies: Vec<String>,
    /// Headers of the request that it is shown beside them: `["User-Agent"]`. Never `Authorization`, `X-Forwarded-*` and what is
    /// of the connection.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(min = 1)))]
    pub headers: Vec<String>,
    /// How long an answer counts at most: for so long a session that has ended there opens sockets here. `"0s"`: it is asked each
    /// time.
    #[serde(default = "cache")]
    #[schemars(extend("x-least" = "0s", "x-most" = "5m"))]
    pub cache: Span,
    /// How often it is asked again about the sessions of open sockets, which end when it says that it is nobody, or does not
    /// answer for them within twice as long and `timeout` (3000 `revoked`).
    #[serde(default = "recheck")]
    #[schemars(extend("x-least" = "1s", "x-most" = "1h"))]
    pub recheck: Span,
    /// From a question to its answer. Over it: 503.
    #[serde(default = "timeout")]
    #[schemars(extend("x-least" = "100ms", "x-most" = "5s"))]
    pub timeout: Span,
    /// A socket lasts no longer, also if the answer's `exp` lies later or is missing.
    #[serde(default = "lifetime")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub lifetime: Span,
    /// The certificate authorities (PEM) that are trusted for asking it, in place of the system's.
    pub ca: Option<FilePath>,
}

const fn cache() -> Span {
    seconds(10)
}

const fn recheck() -> Span {
    seconds(30)
}

const fn timeout() -> Span {
    seconds(3)
}

const fn lifetime() -> Span {
    seconds(12 * 3600)
}
