//! What `[forward_auth]` is for admission.

use std::{io, sync::Arc};

use wardwire_admission::{fetch::Fetch, presented::Selection, token::ForwardAuthConfig};

use super::{Config, file::ForwardAuth, path};
use crate::outbound::Ways;

impl ForwardAuth {
    /// What is shown to it.
    ///
    /// # Errors
    /// A name that is never shown to anybody, in words.
    pub(super) fn selection(&self) -> Result<Selection, String> {
        Selection::new(&self.cookies, &self.headers).map_err(|error| error.to_string())
    }
}

/// The application, where one is asked, with the way to it.
pub(super) fn settings(
    config: &Config,
    ways: &mut Ways,
    before: &Ways,
) -> io::Result<Option<(ForwardAuthConfig, Arc<dyn Fetch>)>> {
    let Some(file) = &config.file.forward_auth else {
        return Ok(None);
    };
    let ca = file.ca.as_ref();
    let ca = ca
        .map(|ca| path::read(&config.folder.find(ca)?))
        .transpose()?;
    let fetch = ways.open(&config.file.outbound.allow, ca, before)?;
    let asked = ForwardAuthConfig {
        name: file.name.clone(),
        url: file.url.clone(),
        selection: file.selection().map_err(io::Error::other)?,
        cache: file.cache.0,
        recheck: file.recheck.0,
        timeout: file.timeout.0,
        lifetime: file.lifetime.0,
    };
    Ok(Some((asked, fetch)))
}
