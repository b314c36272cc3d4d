//! What protects a socket's bytes on their way: TLS, the network behind a balancer that has ended it, or the TLS of the
//! HTTP/2 connection that carries them.

use rustls::Error;
use wardwire_admission::proxy::Vouched;

use super::Records;

/// TLS, or what stands for it. The only place that knows that there are two.
#[allow(
    clippy::large_enum_variant,
    reason = "a box would cost TLS sockets, of which there are more"
)]
pub enum Protection {
    /// TLS ends here.
    Tls(Records),
    /// It ends elsewhere.
    Ended(Ended),
}

/// Proof that TLS ends elsewhere: at a balancer, or below HTTP/2. Without it, nothing goes in the clear.
pub struct Ended(());

impl Ended {
    /// The peer is on the list of those that end TLS.
    #[must_use]
    pub fn by(_balancer: &Vouched) -> Self {
        Self(())
    }

    /// A stream of an HTTP/2 connection, which is sealed as a whole.
    pub(crate) fn below_http2() -> Self {
        Self(())
    }
}

impl From<Records> for Protection {
    fn from(records: Records) -> Self {
        Self::Tls(records)
    }
}

impl Protection {
    /// What has come and has to stand before what comes next.
    #[must_use]
    pub fn cut(&self) -> &[u8] {
        match self {
            Self::Tls(records) => records.cut(),
            Self::Ended(_) => &[],
        }
    }

    /// Opens what has come, which begins with [`Self::cut`]: appends what it carries to `plain`, and what must be answered
    /// to `out`.
    ///
    /// # Errors
    /// As [`Records::read`].
    pub fn read(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match self {
            Self::Tls(records) => records.read(incoming, plain, out),
            Self::Ended(_) => {
                plain.extend_from_slice(incoming);
                Ok(())
            }
        }
    }

    /// Seals `plain` behind what `out` holds.
    ///
    /// # Errors
    /// As [`Records::write`].
    pub fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Tls(records) => records.write(plain, out),
            Self::Ended(_) => {
                out.extend_from_slice(plain);
                Ok(())
            }
        }
    }

    /// Appends what says that nothing more comes: `close_notify`; in the clear the end of the connection says it.
    ///
    /// # Errors
    /// As [`Records::close`].
    pub fn close(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Tls(records) => records.close(out),
            Self::Ended(_) => Ok(()),
        }
    }

    /// The peer said that nothing more comes.
    #[must_use]
    pub fn peer_closed(&self) -> bool {
        match self {
            Self::Tls(records) => records.peer_closed(),
            Self::Ended(_) => false,
        }
    }

    /// The protocol agreed on by ALPN, if TLS ends here.
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Tls(records) => records.protocol(),
            Self::Ended(_) => None,
        }
    }

    /// Whether keys are still being agreed on.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        match self {
            Self::Tls(records) => records.is_handshaking(),
            Self::Ended(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_socket_pays_nothing_for_the_other_kind() {
        assert_eq!(size_of::<Protection>(), size_of::<Records>());
    }
}
