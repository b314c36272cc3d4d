//! Times and sizes as people write them.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// A span of time: `"500ms"`, `"10s"`, `"5m"`, `"24h"`, `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A size: a number of bytes, or `"64KiB"`, `"16MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
        Some(Self(match unit {
            "ms" => Duration::from_millis(number),
            "s" => seconds(1)?,
            "m" => seconds(60)?,
            "h" => seconds(3600)?,
            "d" => seconds(86_400)?,
            _ => return None,
        }))
    }
}

impl Bytes {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text)?;
        let factor: usize = match unit {
            "" | "B" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => return None,
        };
        usize::try_from(number).ok()?.checked_mul(factor).map(Self)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
            .ok_or_else(|| format!("{text:?} is not a time like \"10s\", \"5m\" or \"24h\""))
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "it is a size like 65536, \"64KiB\" or \"16MiB\""
        )]
        enum Written {
            Number(usize),
            Text(String),
        }
        match Written::deserialize(source)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => Self::parse(&text).ok_or_else(|| {
                D::Error::custom(format!(
                    "{text:?} is not a size like 65536, \"64KiB\" or \"16MiB\""
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_written() {
        assert_eq!(Span::parse("500ms"), Some(Span(Duration::from_millis(500))));
        assert_eq!(Span::parse("24h"), Some(Span(Duration::from_secs(86_400))));
        assert_eq!(Bytes::parse("64KiB"), Some(Bytes(65_536)));
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "1.5s",
            "10 years",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        for text in ["", "KiB", "1GB", "18446744073709551615MiB"] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
    }
}
