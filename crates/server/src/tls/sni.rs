//! The name a client asked for (RFC 6066 §3). rustls' unbuffered connection does not tell it afterwards, so the certificate
//! resolver, which is asked once in every handshake, leaves it where the connection picks it up.

use std::{cell::Cell, fmt, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::ByName;

thread_local! {
    /// INVARIANT: `resolve` runs inside a call to `process_tls_records`, on its thread, and [`take`] follows that call
    /// before any other connection runs on the thread; so a name never reaches another connection.
    static ASKED: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// Chooses a certificate, and notes the name that was asked for.
pub(super) struct Remembering(pub(super) ByName);

impl ResolvesServerCert for Remembering {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        note(&hello);
        self.0.choose(&hello)
    }
}

impl fmt::Debug for Remembering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembering").finish_non_exhaustive()
    }
}

/// Leaves the name that a hello asks for. Every resolver begins with it.
pub(super) fn note(hello: &ClientHello<'_>) {
    ASKED.set(hello.server_name().map(Into::into));
}

/// The name asked for in the handshake that the last call advanced, if that call read a hello.
pub(super) fn take() -> Option<Box<str>> {
    ASKED.take()
}
