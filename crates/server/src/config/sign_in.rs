//! `issuer.sign_in` and `issuer.introspection`, with what their files hold.

use std::io;

use wardwire_admission::{
    oidc::{ClientAuthentication, ClientKey, Settings},
    token::IntrospectionConfig,
};

use super::{
    Folder,
    file::{ClientAuth, ClientProof, Introspection, SignIn},
    path::{self, FilePath},
};

/// The longest secret of a client, in bytes.
const LONGEST_SECRET: usize = 1024;

/// As admission knows it.
///
/// # Errors
/// A file that is missing, or of no use.
pub(super) fn settings(sign_in: &SignIn, folder: &Folder) -> io::Result<Settings> {
    Ok(Settings {
        client_id: sign_in.client_id.clone(),
        authentication: authentication(&sign_in.proof(), folder)?,
        callback: sign_in.callback.clone(),
        scopes: sign_in.scopes.clone(),
        after_logout: sign_in.after_logout.clone(),
        lifetime: sign_in.lifetime.0,
        idle: sign_in.idle.0,
        sessions: sign_in.sessions,
    })
}

/// As admission knows it.
///
/// # Errors
/// A file that is missing, or of no use.
pub(super) fn introspection(
    asked: &Introspection,
    folder: &Folder,
) -> io::Result<IntrospectionConfig> {
    Ok(IntrospectionConfig {
        endpoint: asked.endpoint.clone(),
        client_id: asked.client_id.clone(),
        authentication: authentication(&asked.proof(), folder)?,
        cache: asked.cache.0,
        recheck: asked.recheck.as_ref().map(|it| it.0),
    })
}

/// What proves to a provider which client this is.
///
/// # Errors
/// A file that is missing, or of no use.
pub(super) fn authentication(
    proof: &ClientProof<'_>,
    folder: &Folder,
) -> io::Result<ClientAuthentication> {
    let read = |file: &Option<FilePath>, key: &str| {
        let file = file.as_ref();
        let file = file.ok_or_else(|| io::Error::other(format!("there is no {key}")))?;
        path::read(&folder.find(file)?)
    };
    let secret = || secret(&read(proof.secret, "client_secret_file")?);
    Ok(match proof.auth {
        ClientAuth::Basic => ClientAuthentication::Basic(secret()?.into()),
        ClientAuth::Post => ClientAuthentication::Post(secret()?.into()),
        ClientAuth::PrivateKey => {
            let pem = read(proof.key, "client_key_file")?;
            let key = ClientKey::read(&pem, proof.key_id);
            ClientAuthentication::PrivateKey(key.map_err(io::Error::other)?)
        }
        ClientAuth::None => ClientAuthentication::None,
    })
}

/// One line, which its end does not belong to.
fn secret(bytes: &[u8]) -> io::Result<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let shown = text.bytes().all(|byte| byte.is_ascii_graphic());
    match (1..=LONGEST_SECRET).contains(&text.len()) && shown {
        true => Ok(text.to_owned()),
        false => Err(io::Error::other(format!(
            "it is not one line of 1 to {LONGEST_SECRET} visible ASCII characters"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line() {
        for text in ["s", "s\n", "s\r\n"] {
            assert_eq!(secret(text.as_bytes()).unwrap(), "s");
        }
        let long = "s".repeat(LONGEST_SECRET + 1);
        for text in ["", "\n", "a\nb\n", "a b", "\u{e9}", &long] {
            assert!(secret(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
