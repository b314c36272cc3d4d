//! Everything that the server listens on, opened by itself or by a service manager.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use crate::{config::File, listen, service::Inherited};

/// Open sockets.
pub(super) struct Listeners {
    /// So many of each address as there are shards, in turn.
    pub(super) public: Vec<TcpListener>,
    /// Of the first.
    pub(super) address: SocketAddr,
    /// Where client certificates are demanded: so many as above, or none.
    pub(super) certificates: Vec<TcpListener>,
    pub(super) admin: Option<TcpListener>,
    pub(super) redirect: Option<TcpListener>,
}

impl Listeners {
    /// Opens what the configuration names and the service manager has not opened already, and `more` for the public.
    ///
    /// # Errors
    /// An address cannot be had, or the service manager opened something that the configuration has no place for.
    pub(super) fn open(
        file: &File,
        inherited: Inherited,
        more: &[SocketAddr],
        shards: usize,
    ) -> io::Result<Self> {
        inherited.fit(file)?;
        let configured = Some(file.server.listen);
        let mut public = of_each_shard(&inherited.public, configured, shards)?;
        let first = public.first().ok_or(io::ErrorKind::InvalidInput)?;
        let address = first.local_addr()?;
        for other in more {
            public.extend(listen::bind(*other, shards)?);
        }
        let certificates = file.server.client_certificates.as_ref();
        let certificates = certificates.map(|it| it.listen);
        let admin = file.admin.as_ref().map(|it| it.listen);
        let redirect = file.server.redirect;
        Ok(Self {
            public,
            address,
            certificates: of_each_shard(&inherited.certificates, certificates, shards)?,
            admin: opened_or_bound(inherited.admin, admin)?,
            redirect: opened_or_bound(inherited.redirect, redirect)?,
        })
    }
}

fn of_each_shard(
    opened: &[TcpListener],
    configured: Option<SocketAddr>,
    shards: usize,
) -> io::Result<Vec<TcpListener>> {
    match configured {
        Some(address) if opened.is_empty() => listen::bind(address, shards),
        _ => {
            let shared = opened.iter().map(|it| listen::share(it, shards));
            let shared: Vec<_> = shared.collect::<io::Result<_>>()?;
            Ok(shared.into_iter().flatten().collect())
        }
    }
}

fn opened_or_bound(
    opened: Option<TcpListener>,
    configured: Option<SocketAddr>,
) -> io::Result<Option<TcpListener>> {
    match (opened, configured) {
        (None, Some(address)) => listen::bind_one(address).map(Some),
        (opened, _) => Ok(opened),
    }
}
