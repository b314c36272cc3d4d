//! What a balancer that ended TLS says of a request: `X-Forwarded-For` and `X-Forwarded-Proto`. `Forwarded` (RFC 7239) says
//! the same, and is not read: with two words for one thing, a client would choose the one that its balancer passes on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderMap;

use super::Vouched;
use crate::{
    host::parse_port,
    refusal::{Reason, Refusal, Stage},
};

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";

impl Vouched {
    /// Whom a request is from: the right-most address that is no balancer of ours. What stands left of it was written by the
    /// client, or by who knows whom.
    ///
    /// # Errors
    /// The field is missing, or holds something else than addresses where the client should be, or balancers of ours and
    /// nobody else: the left-most of them could be any client's invention.
    pub fn client(&self, headers: &HeaderMap) -> Result<IpAddr, Refusal> {
        let mut why = "no X-Forwarded-For";
        for line in headers.get_all(FOR).iter().rev() {
            let line = line.to_str().map_err(|_| unreadable())?;
            for entry in line.rsplit(',') {
                let address = address(entry.trim()).ok_or_else(unreadable)?;
                if !self.0.hold(address) {
                    return Ok(address);
                }
                why = "X-Forwarded-For names balancers of ours only";
            }
        }
        Err(Refusal::new(Stage::Proxy, Reason::ForwardedFor).because(why))
    }

    /// Whether the client came over TLS, as far as its balancer says. Once, and only `https`, or `wss` as some balancers
    /// call it before a handshake.
    ///
    /// # Errors
    /// It says otherwise, or nothing, or more than one thing.
    pub fn check_tls(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut lines = headers.get_all(PROTO).iter();
        let (first, second) = (lines.next(), lines.next());
        let secure = |value: &http::HeaderValue| {
            let is = |name: &str| value.as_bytes().eq_ignore_ascii_case(name.as_bytes());
            is("https") || is("wss")
        };
        match (first, second) {
            (Some(value), None) if secure(value) => Ok(()),
            (Some(_), None) => Err(plain("X-Forwarded-Proto is not https")),
            (None, _) => Err(plain("no X-Forwarded-Proto")),
            (Some(_), Some(_)) => Err(plain("X-Forwarded-Proto twice")),
        }
    }
}

/// The client of a balancer did not come over TLS, or nobody says so.
#[must_use]
pub fn plain(detail: &str) -> Refusal {
    Refusal::new(Stage::Proxy, Reason::NotOverTls).because(detail)
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:56324`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:56324`.
fn address(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = match entry.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            let address = address.parse::<Ipv6Addr>().ok()?;
            (IpAddr::from(address), after)
        }
        None => {
            let (address, _) = entry.split_once(':')?;
            let after = entry.get(address.len()..)?;
            (address.parse::<Ipv4Addr>().ok()?.into(), after)
        }
    };
    let is_sound = port.is_empty() || port.strip_prefix(':').and_then(parse_port).is_some();
    is_sound.then(|| address.to_canonical())
}

fn unreadable() -> Refusal {
    Refusal::new(Stage::Proxy, Reason::ForwardedFor)
        .because("X-Forwarded-For is no list of addresses")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::proxy::TrustedProxies;

    fn balancer() -> Vouched {
        let networks = ["10.0.0.0/8", "fd00:1::/64"].map(|it| it.parse().unwrap());
        let list = TrustedProxies::new(networks).unwrap();
        list.vouch("10.0.0.1".parse().unwrap()).unwrap()
    }

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn client(lines: &[&str]) -> Result<String, Reason> {
        let said = balancer().client(&headers(FOR, lines));
        said.map(|it| it.to_string()).map_err(|it| it.reason)
    }

    #[test]
    fn the_right_most_address_that_is_no_balancer_is_the_client() {
        for (lines, says) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (&["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, 10.1.2.3,10.9.9.9"], "203.0.113.9"),
            (&["203.0.113.9", "10.1.2.3", "fd00:1::5"], "203.0.113.9"),
            (&["10.1.2.3, 203.0.113.9"], "203.0.113.9"),
            (&["nonsense, 203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9:56324"], "203.0.113.9"),
            (&["2001:db8::9"], "2001:db8::9"),
            (&["[2001:db8::9]"], "2001:db8::9"),
            (&["[2001:db8::9]:56324, 10.1.2.3:1"], "2001:db8::9"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9, ::ffff:10.1.2.3"], "203.0.113.9"),
        ] {
            assert_eq!(client(lines).as_deref(), Ok(says), "{lines:?}");
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for lines in [
            &[][..],
            &[""],
            &[","],
            &["203.0.113.9,"],
            &["203.0.113.9, unknown"],
            &["203.0.113.9, _hidden, 10.1.2.3"],
            &["203.0.113.9;"],
            &["203.0.113.9 10.1.2.3"],
            &["203.0.113.9:"],
            &["203.0.113.9:x"],
            &["203.0.113.9:99999"],
            &["2001:db8::9]"],
            &["[203.0.113.9]"],
            &["[2001:db8::9]56324"],
            &["\"203.0.113.9\""],
            &["203.0.113.9", "lb.example.com"],
            // Any of ours may have written the first.
            &["10.7.7.7, 10.1.2.3"],
            &["10.1.2.3"],
        ] {
            assert_eq!(client(lines), Err(Reason::ForwardedFor), "{lines:?}");
        }
    }

    #[test]
    fn tls_is_said_once_and_plainly() {
        let says = |lines: &[&str]| balancer().check_tls(&headers(PROTO, lines)).is_ok();
        assert!(says(&["https"]) && says(&["HTTPS"]) && says(&["wss"]));
        for lines in [
            &[][..],
            &["http"],
            &["ws"],
            &[""],
            &["https, http"],
            &["https,https"],
            &["https", "https"],
            &["http", "https"],
            &["https "],
        ] {
            // A header's value has no space at its end once it is parsed; here it stands for any other byte.
            assert!(!says(lines), "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_its_balancer_has_the_last_word(
            lies in prop::collection::vec("[ -~]{0,40}", 0..4), address: IpAddr,
        ) {
            prop_assume!(!balancer().0.hold(address));
            let truth = address.to_string();
            let mut lines: Vec<&str> = lies.iter().map(String::as_str).collect();
            lines.push(&truth);
            prop_assert_eq!(client(&lines), Ok(address.to_canonical().to_string()));
        }
    }
}
