//! A client's TLS, by rustls' unbuffered API: nothing is kept for a socket that is silent.

use std::sync::Arc;

use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        ClientConnectionData, Resumption, UnbufferedClientConnection,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
    unbuffered::{ConnectionState, EncodeTlsData, UnbufferedStatus},
};

use crate::Failure;

/// How keys are agreed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    X25519,
    X25519MlKem768,
}

/// What every client of a run offers: TLS 1.3, one group, one cipher suite (the one that browsers name first, so that
/// each server encrypts alike), and no resumption.
pub(crate) fn settings(
    group: Group,
    certificate: CertificateDer<'static>,
) -> Result<Arc<ClientConfig>, Failure> {
    settings_for_any(group, vec![certificate])
}

/// The same for a server that shows one of several certificates.
pub(crate) fn settings_for_any(
    group: Group,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<Arc<ClientConfig>, Failure> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider.kx_groups = vec![match group {
        Group::X25519 => aws_lc_rs::kx_group::X25519,
        Group::X25519MlKem768 => aws_lc_rs::kx_group::X25519MLKEM768,
    }];
    let provider = Arc::new(provider);
    let verifier = Arc::new(Known {
        certificates,
        provider: provider.clone(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Knows the certificates of this run by their bytes. Signatures are not checked: that costs a client more than making
/// them costs a server, and the client must never be the slower one.
#[derive(Debug)]
struct Known {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.certificates.iter().any(|it| it == end_entity) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::General("not a certificate of this run".into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not measured".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Keys and sequence numbers of one connection.
pub(crate) struct Tls {
    conn: UnbufferedClientConnection,
}

/// What reading came to.
pub(crate) struct Read {
    /// Bytes that are done with; the rest is a record cut short.
    pub(crate) consumed: usize,
    /// The server said `close_notify`.
    pub(crate) ended: bool,
}

impl Tls {
    pub(crate) fn new(config: Arc<ClientConfig>) -> Result<Self, Failure> {
        let name = ServerName::try_from("localhost")?;
        Ok(Self {
            conn: UnbufferedClientConnection::new(config, name)?,
        })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.conn.is_handshaking()
    }

    /// Decrypts in place the whole records of `incoming` and shows what they carry. What the handshake has to say goes
    /// to `out`.
    pub(crate) fn read(
        &mut self,
        incoming: &mut [u8],
        out: &mut Outgoing,
        mut plain: impl FnMut(&[u8]),
    ) -> Result<Read, Error> {
        let mut consumed = 0;
        let mut ended = false;
        loop {
            let rest = incoming.get_mut(consumed..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.conn.process_tls_records(rest);
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(data) => encode(data, out)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => ended = true,
                _ => {
                    consumed += discard;
                    return Ok(Read { consumed, ended });
                }
            }
            consumed += discard;
        }
    }

    /// Encrypts `plain` to `out`.
    pub(crate) fn write(&mut self, plain: &[u8], out: &mut Outgoing) -> Result<(), Error> {
        loop {
            match self.conn.process_tls_records(&mut []).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let written = traffic.encrypt(plain, out.room()).map_err(too_small)?;
                    out.filled += written;
                    return Ok(());
                }
                ConnectionState::EncodeTlsData(data) => encode(data, out)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                _ => return Err(Error::HandshakeNotComplete),
            }
        }
    }
}

/// What is to be sent: one buffer for all sockets, never zeroed again.
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    filled: usize,
}

impl Outgoing {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            bytes: vec![0; size],
            filled: 0,
        }
    }

    fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// What was written since it was taken last.
    pub(crate) fn take(&mut self) -> &[u8] {
        let filled = std::mem::take(&mut self.filled);
        self.bytes.get(..filled).unwrap_or_default()
    }
}

fn encode(
    mut data: EncodeTlsData<'_, ClientConnectionData>,
    out: &mut Outgoing,
) -> Result<(), Error> {
    out.filled += data.encode(out.room()).map_err(too_small)?;
    Ok(())
}

fn too_small(error: impl std::fmt::Display) -> Error {
    Error::General(error.to_string())
}
