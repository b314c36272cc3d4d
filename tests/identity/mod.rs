//! Sign-in at a real provider, `oidc-provider`, and what it opens and ends. The packages have to be installed (`npm ci`, which
//! `cargo xtask test` does).

mod browser;
mod cookie_alone;
mod cookie_races;
mod doctor;
mod forward_auth;
mod guides;
mod jose;
mod opaque;
mod openid_client;
mod provider;
mod pushed;
mod sessions;
mod sign_in;
mod sign_out;

use browser::Browser;
use provider::Provider;
