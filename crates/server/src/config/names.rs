//! What users are called, which is not changed while a server runs.

use std::{collections::BTreeMap, path::Path};

use super::{Config, Problem, Problems};

/// What each issuer was called since the start; none of one that was alone and had no name.
///
/// INVARIANT: a name stays its issuer's for as long as the server runs, also when that is trusted no longer. What its users
/// published is kept in channels under it, and would be told as another's who comes by it later.
#[derive(Debug)]
pub struct Names(BTreeMap<String, Option<String>>);

impl Names {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self(named(config).map(|(_, url, name)| (url, name)).collect())
    }

    /// These, and those of a configuration to come.
    ///
    /// # Errors
    /// An issuer is called otherwise than before, or another as it was.
    pub fn and(&self, next: &Config, path: &Path) -> Result<Self, Problems> {
        for (place, issuer, name) in named(next) {
            if let Some(message) = self.clash(&issuer, &name) {
                let key = ["name", "issuer"].map(|key| format!("{place}.{key}"));
                let place = key.iter().find_map(|key| next.written.place(key));
                let remedy = "Restart the server, or take the change back.";
                return Err(Problems::placed(path, place, Problem::new(message, remedy)));
            }
        }
        let mut all = self.0.clone();
        all.extend(Self::of(next).0);
        Ok(Self(all))
    }

    fn clash(&self, issuer: &str, own: &Option<String>) -> Option<String> {
        let called = |name: &Option<String>| match name {
            Some(name) => format!("the `name` {name:?}"),
            None => "no `name`".to_owned(),
        };
        match self.0.get(issuer) {
            Some(name) if name == own => None,
            Some(name) => Some(format!(
                "issuer {issuer} had {} since the start: its users would be called otherwise, which a running server cannot",
                called(name)
            )),
            None => {
                let mut others = self.0.iter();
                let pass = |name: &Option<String>| name.is_none() || own.is_none() || name == own;
                let (other, name) = others.find(|(_, name)| pass(name))?;
                Some(format!(
                    "users of issuer {issuer} could pass for those of {other}, which had {} since the start",
                    called(name)
                ))
            }
        }
    }
}

/// Who vouches for users, the application too: where that stands, and what it is called.
fn named(config: &Config) -> impl Iterator<Item = (String, String, Option<String>)> {
    let issuers = config.file.issuer.iter().enumerate();
    let issuers =
        issuers.map(|(at, it)| (format!("issuer.{at}"), it.issuer.clone(), it.name.clone()));
    let application = config.file.forward_auth.iter();
    let application = application.map(|it| {
        (
            "forward_auth".to_owned(),
            it.url.clone(),
            Some(it.name.clone()),
        )
    });
    issuers.chain(application)
}
