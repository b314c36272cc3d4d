//! What an issuer says of itself (OpenID Connect Discovery §3, RFC 8414 §2), as far as anything here relies on it.

use serde_json::{Map, Value};

/// The document, read as strictly as for a sign-in.
pub(super) struct Document(pub(super) Map<String, Value>);

impl Document {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn says(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// The strings of a list. None if there is no such list, of which each has a meaning of its own.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }
}
