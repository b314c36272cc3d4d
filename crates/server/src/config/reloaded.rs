//! What tells one configuration from another: the keys that were written otherwise, and the files that hold something else.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::{Config, File, FilePath, Folder, Problem, Problems, path, read, schema};

/// What was in each file that a configuration names and a reload reads again, by its key. None of one that cannot be read.
pub type Prints = BTreeMap<String, Option<[u8; 32]>>;

/// What is in the files now.
pub(super) fn prints(file: &File, folder: &Folder) -> Prints {
    let named = named(file).into_iter();
    let print = |(key, file): (String, &FilePath)| {
        let path = folder.find(file).ok();
        let bytes = path.and_then(|path| path::read(&path).ok());
        let hash = bytes.and_then(|bytes| digest(&SHA256, &bytes).as_ref().try_into().ok());
        (key, hash)
    };
    named.map(print).collect()
}

/// The configuration file and those it names, as far as it can be read, whatever else is wrong with it.
#[must_use]
pub fn named_files(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    let variables = super::environment::variables();
    let text = path::read_text(path).unwrap_or_default();
    if let Some(file) = read::read(&text, &variables).file {
        let folder = Folder::of(path);
        let named = named(&file).into_iter();
        files.extend(named.filter_map(|(_, file)| folder.find(file).ok()));
    }
    files
}

/// The files that a reload reads again, each with its key.
fn named(file: &File) -> Vec<(String, &FilePath)> {
    let tls = file.server.tls.iter();
    let tls = tls.flat_map(|it| [("cert", &it.cert), ("key", &it.key)]);
    let tls = tls.filter_map(|(key, file)| Some((format!("server.tls.{key}"), file.as_ref()?)));
    let certificates = file.server.certificates.iter().enumerate();
    let certificates = certificates.flat_map(|(at, it)| {
        [("cert", &it.cert), ("key", &it.key)]
            .map(|(key, file)| (format!("server.certificates.{at}.{key}"), file))
    });
    let issuers = file.issuer.iter().enumerate().flat_map(|(at, it)| {
        let files = [("jwks_file", &it.jwks_file), ("ca", &it.ca)];
        let of_client = it.sign_in.iter().flat_map(|it| {
            [
                ("sign_in.client_secret_file", &it.client_secret_file),
                ("sign_in.client_key_file", &it.client_key_file),
            ]
        });
        let of_asking = it.introspection.iter().flat_map(|it| {
            [
                ("introspection.client_secret_file", &it.client_secret_file),
                ("introspection.client_key_file", &it.client_key_file),
            ]
        });
        files
            .into_iter()
            .chain(of_client)
            .chain(of_asking)
            .filter_map(move |(key, file)| Some((format!("issuer.{at}.{key}"), file.as_ref()?)))
    });
    let clients = file.server.client_certificates.iter().flat_map(|it| {
        let lists = it.crl.iter().enumerate();
        let lists = lists.map(|(at, file)| (format!("crl.{at}"), file));
        let files = std::iter::once(("ca".to_owned(), &it.ca)).chain(lists);
        files.map(|(key, file)| (format!("server.client_certificates.{key}"), file))
    });
    let application = file.forward_auth.iter();
    let application =
        application.filter_map(|it| Some(("forward_auth.ca".to_owned(), it.ca.as_ref()?)));
    let schemas = file.channel.iter().enumerate();
    let schemas =
        schemas.filter_map(|(at, it)| Some((format!("channel.{at}.schema"), it.schema.as_ref()?)));
    let backend = file.backend.iter().flat_map(|it| &it.token_files);
    let backend = backend.enumerate();
    let backend = backend.map(|(at, file)| (format!("backend.token_files.{at}"), file));
    tls.chain(certificates)
        .chain(backend)
        .chain(application)
        .chain(schemas)
        .chain(clients)
        .chain(issuers)
        .collect()
}

/// The keys by which two configurations differ, with what was in their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys, and tables that stand several times, that a reload changes.
    pub reloaded: BTreeSet<String>,
    /// Those that it does not.
    pub restart: BTreeSet<String>,
}

/// By what `after` differs from `before`, which is running.
#[must_use]
pub fn changes(before: &Config, after: &Config) -> Changes {
    let mut changes = Changes::default();
    let values = differing(&before.values, &after.values);
    let prints = differing(&before.prints, &after.prints);
    for path in values.chain(prints) {
        let key = spoken(path);
        match needs_restart(&key) {
            true => changes.restart.insert(key),
            false => changes.reloaded.insert(key),
        };
    }
    changes
}

fn differing<'a, T: PartialEq>(
    before: &'a BTreeMap<String, T>,
    after: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = &'a str> {
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let other = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(*value));
    gone.chain(other.map(|(key, _)| key)).map(String::as_str)
}

/// A path up to where a number stands in it: who adds an item moves those behind it.
#[must_use]
pub fn spoken(path: &str) -> String {
    let parts = path.split('.');
    let words = parts.take_while(|part| part.parse::<usize>().is_err());
    words.collect::<Vec<_>>().join(".")
}

/// Whether a reload does not change this key.
#[must_use]
pub fn needs_restart(key: &str) -> bool {
    let mut shape = Some(schema::Shape::file());
    key.split('.').any(|part| {
        shape = shape.and_then(|it| it.key(part));
        let mark = shape.and_then(|it| it.mark("x-restart"));
        mark.is_some_and(|it| *it == Value::Bool(true))
    })
}

/// What a reload must not change: whom the server believes about who its clients are, which is decided for a connection before
/// anything of it is read, and for those that are there it stands; and how a certificate is obtained, which a task of its own
/// is at.
///
/// # Errors
/// What was changed of it.
pub fn bound_to_start(before: &Config, after: &Config, path: &Path) -> Result<(), Problems> {
    let ended = |it: &Config| matches!(it.security, super::Security::EndedBy(_));
    let introduced = |it: &Config| it.file.server.proxy_protocol.is_some();
    let obtained = |it: &Config| matches!(it.security, super::Security::Acme(_));
    let of_acme = |key: &str| key == "server.acme" || key.starts_with("server.acme.");
    let offers = |it: &Config| it.file.http2.websockets;
    let (key, what) = if ended(before) != ended(after) {
        ("server.tls", "where TLS ends")
    } else if obtained(before) != obtained(after)
        || differing(&before.values, &after.values).any(of_acme)
    {
        ("server.acme", "how the certificate is obtained")
    } else if obtained(after) && offers(before) != offers(after) {
        (
            "http2.websockets",
            "what is agreed on beside an authority's questions",
        )
    } else if introduced(before) != introduced(after) {
        (
            "server.proxy_protocol",
            "whether balancers say whom a connection is from",
        )
    } else {
        return Ok(());
    };
    let message = format!("{key} changes {what}, which a running server cannot");
    let remedy = "Restart the server, or take the change back.";
    Err(Problems::placed(
        path,
        after.written.place(key),
        Problem::new(message, remedy),
    ))
}
