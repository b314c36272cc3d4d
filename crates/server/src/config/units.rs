//! Times and sizes as people write them.

use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A span of time: `"500ms"`, `"10s"`, `"5m"`, `"24h"`, `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A size: a number of bytes, or `"64KiB"`, `"16MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

/// A network or a single address: `"10.0.0.0/8"`, `"203.0.113.7"`, `"fd00:1::/64"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let single = || text.parse::<IpAddr>().map(IpNet::from).ok();
        let network: IpNet = text.parse().ok().or_else(single)?;
        // Whoever writes 10.1.2.3/8 may mean either.
        (network.trunc() == network).then_some(Self(network))
    }
}

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
    pub(super) fn parse(text: &str) -> Option<Self> {
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

/// As people write it, in the largest unit that loses nothing.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1000),
        ];
        let whole =
            |(_, factor): &(&str, u128)| millis >= *factor && millis.is_multiple_of(*factor);
        match units.into_iter().find(whole) {
            Some((unit, factor)) => write!(f, "{}{unit}", millis / factor),
            None if millis == 0 => f.write_str("0s"),
            None => write!(f, "{millis}ms"),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("MiB", 1024 * 1024), ("KiB", 1024)];
        let whole =
            |(_, factor): &(&str, usize)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match units.into_iter().find(whole) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.collect_str(self)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.collect_str(self)
    }
}

impl JsonSchema for Network {
    fn schema_name() -> Cow<'static, str> {
        "Network".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "x-type": "network",
            "pattern": r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "x-type": "time",
            "pattern": r"^[0-9]+\s*(ms|s|m|h|d)$",
        })
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "x-type": "size",
            "minimum": 0,
            "pattern": r"^[0-9]+\s*(B|KiB|MiB)?$",
        })
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

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not a network like \"10.0.0.0/8\" (with nothing set behind its prefix) or an address like \"10.0.0.7\""
            ))
        })
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
    fn a_network_is_what_it_says_and_nothing_behind_it() {
        let net = |text: &str| Network::parse(text).map(|it| it.0.to_string());
        assert_eq!(net("10.0.0.0/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(net("10.0.0.7").as_deref(), Some("10.0.0.7/32"));
        assert_eq!(net("fd00::/64").as_deref(), Some("fd00::/64"));
        assert_eq!(net("::1").as_deref(), Some("::1/128"));
        for text in [
            "",
            "10.0.0.7/8",
            "10.0.0.0/33",
            "10.0.0",
            "lb.example.com",
            "10.0.0.0-10.0.0.9",
        ] {
            assert_eq!(net(text), None, "{text}");
        }
    }

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

    #[test]
    fn what_is_written_out_is_read_back() {
        for text in [
            "0s", "1ms", "1500ms", "10s", "90s", "5m", "24h", "25h", "365d",
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.to_string().parse(), Ok(span), "{text}");
        }
        assert_eq!(Span(Duration::from_secs(3600)).to_string(), "1h");
        for size in [0, 1, 1023, 65_536, 1_048_576, 1_048_577] {
            assert_eq!(Bytes::parse(&Bytes(size).to_string()), Some(Bytes(size)));
        }
        assert_eq!(Bytes(65_536).to_string(), "64KiB");
    }
}
