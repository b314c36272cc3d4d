//! One way out for each network list and authority, kept from one configuration to the next.

use std::{io, sync::Arc};

use ipnet::IpNet;
use wardwire_admission::fetch::Fetch;

use super::Outbound;

/// The ways to issuers' keys. One that is the same as before stays itself, so that what it brought is kept.
#[derive(Clone, Default)]
pub struct Ways(Vec<Way>);

/// By the networks that are allowed, and the authority (PEM) that is trusted in place of the system's.
#[derive(Clone)]
struct Way {
    allow: Vec<IpNet>,
    authority: Option<Vec<u8>>,
    fetch: Arc<dyn Fetch>,
}

impl Ways {
    fn find(&self, allow: &[IpNet], authority: Option<&[u8]>) -> Option<&Way> {
        let mut ways = self.0.iter();
        ways.find(|way| way.allow == allow && way.authority.as_deref() == authority)
    }

    /// This way, as it was before if it is the same.
    pub(crate) fn open(
        &mut self,
        allow: &[IpNet],
        authority: Option<Vec<u8>>,
        before: &Self,
    ) -> io::Result<Arc<dyn Fetch>> {
        if let Some(known) = self.find(allow, authority.as_deref()) {
            return Ok(known.fetch.clone());
        }
        let way = match before.find(allow, authority.as_deref()) {
            Some(same) => same.clone(),
            None => Way::new(allow, authority)?,
        };
        self.0.push(way.clone());
        Ok(way.fetch)
    }
}

impl Way {
    fn new(allow: &[IpNet], authority: Option<Vec<u8>>) -> io::Result<Self> {
        let outbound = Outbound::new(allow.to_vec(), authority.as_slice());
        Ok(Self {
            allow: allow.to_vec(),
            authority,
            fetch: Arc::new(outbound.map_err(io::Error::other)?),
        })
    }
}
