//! Members that may be absent, read without a copy where that can be.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// A text that is there and not `null`.
///
/// # Errors
/// It is something else.
pub(super) fn text<'de: 'a, 'a, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    let text = Option::<Text<'a>>::deserialize(from)?;
    Ok(text.map(|Text(text)| text))
}

/// Whatever is there, `null` too.
///
/// # Errors
/// It is not what is looked for.
pub(super) fn raw<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Borrowed where it can be, also inside an `Option`.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
