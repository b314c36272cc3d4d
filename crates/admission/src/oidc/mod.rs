//! Sign-in at a provider, for browsers (OpenID Connect Core 1.0 §3.1), as RFC 9700 has it: the code flow with PKCE, and
//! tokens that never reach the browser. It gets a cookie that names a session kept here.
//!
//! [`client`] speaks with one provider, [`metadata`] is what that says of itself, [`attempt`] is a sign-in under way,
//! [`return_to`] where it leads back to, [`proof`] how we show who we are. What a sign-in comes to is decided by the [`gate`](crate::gate), and ID and logout
//! tokens are judged where all tokens are, in [`token`](crate::token).

mod attempt;
mod client;
mod form;
mod metadata;
mod proof;
mod return_to;
mod seen;
mod settings;
mod sign_in;
mod sign_out;

pub use self::{
    attempt::PREFIX as ATTEMPT_COOKIE,
    client::{Client, Known, Wish},
    settings::{CALLBACK, ClientAuthentication, ClientKey, NoKey, Settings},
    sign_in::{Begun, Callback, Login, Outcome, SignedIn},
    sign_out::{BackChannel, Leave, LoggedOut, Shown},
};
pub(crate) use self::{attempt::Seal, form::Pairs, metadata::Held, proof::Proof, seen::Used};
