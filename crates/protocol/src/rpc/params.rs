//! Parameters of a call, which are by name, and which of them is wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{Call, RpcError};

/// What a method takes.
pub trait Parameters<'a>: Deserialize<'a> {
    /// Each, what must be there first.
    const ALL: &'static [Parameter];
}

/// A parameter of a method.
pub struct Parameter {
    name: &'static str,
    required: bool,
    fits: fn(&str) -> bool,
}

impl Parameter {
    pub(super) const fn required<T: DeserializeOwned>(name: &'static str) -> Self {
        Self {
            name,
            required: true,
            fits: fits::<T>,
        }
    }

    pub(super) const fn optional<T: DeserializeOwned>(name: &'static str) -> Self {
        Self {
            name,
            required: false,
            fits: fits::<T>,
        }
    }

    fn takes(&self, given: Option<&RawValue>) -> bool {
        given.map_or(!self.required, |it| (self.fits)(it.get()))
    }
}

fn fits<T: DeserializeOwned>(text: &str) -> bool {
    serde_json::from_str::<T>(text).is_ok()
}

/// Reads the parameters of a call: an array would be read as the members in some order.
///
/// # Errors
/// -32602, with the first one that is wrong.
pub fn params<'a, T: Parameters<'a>>(call: &Call<'a>) -> Result<T, RpcError> {
    let text = call.params.map_or("", RawValue::get);
    if !text.starts_with('{') {
        return Err(RpcError::PARAMS.at(""));
    }
    serde_json::from_str(text).map_err(|_| wrong(text, T::ALL))
}

/// Looks once more, as it is rarely needed.
fn wrong(text: &str, all: &[Parameter]) -> RpcError {
    let given: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let taken = |it: &&Parameter| it.takes(given.get(it.name).copied());
    match all.iter().find(|it| !taken(it)) {
        Some(wrong) => RpcError::parameter(wrong.name),
        None => RpcError::PARAMS.at(""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, prelude::*, sample::select};

    use super::*;
    use crate::rpc::{
        Entry, Incoming, read,
        wire::{HistoryParams, PublishParams, RefreshParams, SubscribeParams},
    };

    /// Where it is wrong, if it is.
    fn told<'a, T: Parameters<'a>>(message: &'a str) -> Option<String> {
        let Ok(Incoming::One(Entry::Call(call))) = read(message) else {
            panic!("{message}")
        };
        let error = params::<T>(&call).err()?;
        assert_eq!(error.code, -32602);
        error.data().pointer.map(Into::into)
    }

    fn call(params: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x"{params}}}"#)
    }

    #[test]
    fn the_first_that_is_wrong_is_told() {
        for (params, place) in [
            ("", Some("")),
            (r#","params":null"#, Some("")),
            (r#","params":["a"]"#, Some("")),
            (r#","params":{}"#, Some("/channel")),
            (r#","params":{"channel":null}"#, Some("/channel")),
            (r#","params":{"channel":1,"limit":"1"}"#, Some("/channel")),
            (r#","params":{"limit":-1,"channel":"a"}"#, Some("/limit")),
            (r#","params":{"channel":"a","after":[]}"#, Some("/after")),
            (
                r#","params":{"channel":"a","after":null,"limit":null}"#,
                None,
            ),
            (r#","params":{"channel":"a","else":{}}"#, None),
        ] {
            let call = call(params);
            assert_eq!(told::<HistoryParams<'_>>(&call).as_deref(), place, "{call}");
        }
    }

    /// Whether all that cannot be read has a parameter that is to blame, and nothing else has.
    fn is_blamed<'a, T: Parameters<'a>>(message: &'a str) -> bool {
        let place = told::<T>(message);
        let names = T::ALL.iter().map(|it| Some(format!("/{}", it.name)));
        names.chain([None]).any(|it| it == place)
    }

    proptest! {
        #[test]
        fn what_cannot_be_read_is_blamed_on_a_parameter(
            members in btree_map(
                select(vec!["channel", "since", "grant", "data", "base64", "id", "noEcho", "after", "before", "limit", "token"]),
                select(vec!["null", "true", "1", "-1", "1.5", "99999999999999999", r#""a""#, r#""\u0041""#, "[]", "{}"]),
                0..6,
            ),
        ) {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            let call = call(&format!(r#","params":{{{}}}"#, members.join(",")));
            prop_assume!(read(&call).is_ok());
            prop_assert!(is_blamed::<SubscribeParams<'_>>(&call));
            prop_assert!(is_blamed::<PublishParams<'_>>(&call));
            prop_assert!(is_blamed::<HistoryParams<'_>>(&call));
            prop_assert!(is_blamed::<RefreshParams<'_>>(&call));
        }
    }
}
