//! The account at the authority: made once, kept, and made anew if the authority has forgotten it.

use std::io;

use instant_acme::{Account, AccountCredentials, Error, ExternalAccountKey, NewAccount};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Acme, order::Unobtained, wire::Wire};

/// The account's file.
#[derive(Deserialize, Serialize)]
pub(super) struct Kept {
    /// What the authority was told.
    contact: Vec<String>,
    /// The client's own account of it, with the key.
    credentials: Box<RawValue>,
}

/// The account that is kept, or a new one.
pub(super) async fn enter(acme: &Acme, wire: &Wire) -> Result<Account, Unobtained> {
    let Some((kept, account)) = known(acme, wire).await? else {
        return create(acme, wire).await;
    };
    let wanted = &acme.settings.contact;
    if kept.contact != *wanted {
        let contact: Vec<&str> = wanted.iter().map(String::as_str).collect();
        account.update_contacts(&contact).await?;
        keep(acme, kept.credentials)?;
    }
    Ok(account)
}

/// Another account, as the authority does not know the one that is kept.
pub(super) async fn anew(acme: &Acme, wire: &Wire) -> Result<Account, Unobtained> {
    tracing::warn!("the authority does not know the account any more; making another");
    acme.storage.forget_account().map_err(own)?;
    create(acme, wire).await
}

/// The account that is kept, if there is one.
pub(super) async fn known(acme: &Acme, wire: &Wire) -> Result<Option<(Kept, Account)>, Unobtained> {
    let unreadable =
        |error: serde_json::Error| Unobtained::Own(format!("account.json cannot be read: {error}"));
    let Some(kept) = acme.storage.account().map_err(own)? else {
        return Ok(None);
    };
    let kept: Kept = serde_json::from_slice(&kept).map_err(unreadable)?;
    let credentials: AccountCredentials =
        serde_json::from_str(kept.credentials.get()).map_err(unreadable)?;
    let account = Account::builder_with_http(Box::new(wire.clone()));
    Ok(Some((kept, account.from_credentials(credentials).await?)))
}

async fn create(acme: &Acme, wire: &Wire) -> Result<Account, Unobtained> {
    let settings = &acme.settings;
    let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        // The configuration is refused without it.
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let binding = settings.binding.as_ref();
    let binding = binding.map(|it| ExternalAccountKey::new(it.kid.clone(), &it.key));
    let (account, credentials) = Account::builder_with_http(Box::new(wire.clone()))
        .create(&wanted, settings.directory.clone(), binding.as_ref())
        .await?;
    let credentials = serde_json::value::to_raw_value(&credentials);
    keep(acme, credentials.map_err(Error::from)?)?;
    Ok(account)
}

fn keep(acme: &Acme, credentials: Box<RawValue>) -> Result<(), Unobtained> {
    let kept = Kept {
        contact: acme.settings.contact.clone(),
        credentials,
    };
    let bytes = serde_json::to_vec(&kept).map_err(Error::from)?;
    acme.storage
        .keep_account(&Zeroizing::new(bytes))
        .map_err(own)
}

fn own(error: io::Error) -> Unobtained {
    Unobtained::Own(error.to_string())
}
