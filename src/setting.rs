//! Values of flags and of the configuration file, as a person writes them.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::check;
use crate::model::Key;

/// Where a server listens: `:12350` is every address of the machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Address {
    text: String,
    /// One address, or the port of all of them.
    pub place: Listen,
}

/// What an [`Address`] means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listen {
    /// Every address, of both families where the machine has both.
    Everywhere(u16),
    /// This one.
    At(SocketAddr),
}

impl Listen {
    /// The port; 0 is any that is free.
    pub fn port(&self) -> u16 {
        match self {
            Self::Everywhere(port) => *port,
            Self::At(address) => address.port(),
        }
    }
}

/// A length of time: `10s`, `1m30s`, `250ms`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct Period(pub Duration);

/// Another role's server: `http://10.0.0.7:12350`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Url(pub String);

/// An object with its namespace: `kube-system/kube-dns`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Named(pub Key);

/// A name that DNS can be asked for: `example.com`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Domain(pub String);

/// A Service of the own namespace, and its port: `netvitals-cluster:12350`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Service {
    /// The Service's name.
    pub name: String,
    /// The port on which it is asked by its name.
    pub port: u16,
}

/// A check of the cluster role, by its id: `scraping`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckId(pub &'static str);

/// By hand, because a derived one would borrow the name from the file.
impl<'de> Deserialize<'de> for CheckId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What was written in the place of a value, and what should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Misread(String);

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misread {}

impl Default for Address {
    fn default() -> Self {
        Self { text: ":12350".to_owned(), place: Listen::Everywhere(12350) }
    }
}

impl FromStr for Address {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let everywhere = text.strip_prefix(':').and_then(|port| port.parse().ok());
        let place = everywhere.map(Listen::Everywhere);
        let place = place.or_else(|| text.parse().ok().map(Listen::At)).ok_or_else(|| {
            Misread(format!(
                "{text:?} is no address to listen on: write :12350, 127.0.0.1:12350 or [::1]:12350"
            ))
        })?;
        Ok(Self { text: text.to_owned(), place })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The units, the longer name of two that begin alike first.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl FromStr for Period {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let period = || {
            let (mut rest, mut sum, mut last) = (text, 0u64, u64::MAX);
            while !rest.is_empty() {
                let digits = rest.find(|char: char| !char.is_ascii_digit())?;
                let (count, tail) = rest.split_at(digits);
                let (name, millis) = UNITS.into_iter().find(|(name, _)| tail.starts_with(name))?;
                // `1m1h` and `1s1s` are slips of the pen.
                if millis >= last {
                    return None;
                }
                let part = count.parse::<u64>().ok()?.checked_mul(millis)?;
                (sum, last, rest) = (sum.checked_add(part)?, millis, &tail[name.len()..]);
            }
            (!text.is_empty()).then(|| Self(Duration::from_millis(sum)))
        };
        period().ok_or_else(|| {
            Misread(format!("{text:?} is no length of time: write 10s, 250ms, 5m or 1m30s"))
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, millis) in [UNITS[3], UNITS[2], UNITS[1], UNITS[0]] {
            if rest >= millis {
                write!(f, "{}{name}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl FromStr for Url {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let plain = |uri: &Uri| {
            // A port must be there: a plan or an observation is served on none that goes without
            // saying, and one that is no number is dropped by the parser.
            let server = uri.authority().is_some_and(|it| {
                !it.host().is_empty() && it.port_u16().is_some() && !it.as_str().contains('@')
            });
            uri.scheme_str() == Some("http") && server && uri.path() == "/" && uri.query().is_none()
        };
        let uri = text.parse().ok().filter(plain);
        if uri.is_none() {
            return Err(Misread(format!(
                "{text:?} is no address of a netvitals server: write http://host:12350"
            )));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl FromStr for Named {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let parts = text.split_once('/').filter(|(namespace, name)| {
            let plain = |part: &str| !part.is_empty() && !part.contains(['/', ' ']);
            plain(namespace) && plain(name)
        });
        let (namespace, name) = parts.ok_or_else(|| {
            Misread(format!(
                "{text:?} names no object: write namespace/name, as kube-system/kube-dns"
            ))
        })?;
        Ok(Self(Key::new(namespace, name)))
    }
}

impl FromStr for Domain {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let plain = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        let sound = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(plain);
        if name.len() > 253 || !name.split('.').all(sound) {
            return Err(Misread(format!("{text:?} is no name of DNS: write example.com")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for CheckId {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let known = || check::ALL.iter().map(|check| check.id);
        known().find(|id| *id == text).map(Self).ok_or_else(|| {
            let known: Vec<&str> = known().collect();
            Misread(format!("{text:?} is no check: known are {}", known.join(", ")))
        })
    }
}

impl FromStr for Service {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let parts = text.split_once(':').and_then(|(name, port)| {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            // A label of RFC 1035, as Kubernetes asks of a Service's name.
            let plain =
                |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
            let begins = name.starts_with(|char: char| char.is_ascii_lowercase());
            let sound = begins && name.chars().all(plain) && !name.ends_with('-');
            (sound && name.len() <= 63).then(|| Self { name: name.to_owned(), port })
        });
        parts.ok_or_else(|| {
            Misread(format!(
                "{text:?} is no Service with its port: write name:port, as netvitals-cluster:12350"
            ))
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// What serde asks for where [`FromStr`] is there already.
macro_rules! from_text {
    ($($of:ty),*) => {$(
        impl TryFrom<String> for $of {
            type Error = Misread;

            fn try_from(text: String) -> Result<Self, Misread> {
                text.parse()
            }
        }
    )*};
}

from_text!(Address, Period, Url, Named, Domain, Service);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        for (text, millis) in
            [("10s", 10_000), ("250ms", 250), ("5m", 300_000), ("1h1m1s1ms", 3_661_001), ("0s", 0)]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.0, Duration::from_millis(millis), "{text}");
            assert_eq!(period.to_string(), text);
        }
        for text in ["", "10", "s", "-1s", "1.5s", "10 s", "1s1m", "1s1s", "99999999999999999999h"]
        {
            let error = text.parse::<Period>().unwrap_err().to_string();
            assert!(
                error.ends_with("is no length of time: write 10s, 250ms, 5m or 1m30s"),
                "{error}"
            );
        }
    }

    #[test]
    fn names_of_dns_have_labels_of_1_to_63_characters() {
        let (label, long) = ("a".repeat(63), "a".repeat(64));
        for text in ["example.com", "example.com.", "_dns.x-1", &label] {
            assert_eq!(text.parse(), Ok(Domain(text.to_owned())));
        }
        let longer = format!("{label}.{label}.{label}.{label}");
        for text in ["", ".", "a..b", "a b", "ä.de", "a/b", &long, &longer] {
            assert!(text.parse::<Domain>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_to_listen_on_are_one_or_all() {
        let place = |text: &str| text.parse::<Address>().map(|address| address.place).ok();
        assert_eq!(place(":12350"), Some(Listen::Everywhere(12350)));
        assert_eq!(place("127.0.0.1:0"), Some(Listen::At(([127, 0, 0, 1], 0).into())));
        assert!(matches!(place("[::1]:9"), Some(Listen::At(SocketAddr::V6(_)))));
        for text in ["", "12350", ":", ":70000", "::1:9", "localhost:9", "127.0.0.1"] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn only_plain_servers_are_urls() {
        let url = |text: &str| text.parse::<Url>().map(|url| url.0).ok();
        assert_eq!(url("http://10.0.0.7:12350/").as_deref(), Some("http://10.0.0.7:12350"));
        assert_eq!(url("http://[fd00::7]:1").as_deref(), Some("http://[fd00::7]:1"));
        assert_eq!(url("http://a.b.svc:1").as_deref(), Some("http://a.b.svc:1"));
        for text in [
            "",
            "10.0.0.7:12350",
            "https://a:1",
            "http://",
            "http://a",
            "http://a:1/metrics",
            "http://a:1?b",
            "http://u@a:1",
            "http://a:port",
            "ftp://a:1",
        ] {
            assert_eq!(url(text), None, "{text}");
        }
    }

    #[test]
    fn an_object_needs_its_namespace() {
        assert_eq!("a/b".parse::<Named>().unwrap().0, Key::new("a", "b"));
        for text in ["", "b", "/b", "a/", "a/b/c", "a/b c"] {
            assert!(text.parse::<Named>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_needs_its_port_and_a_name_that_kubernetes_takes() {
        let longest = "a".repeat(63);
        for name in ["netvitals-cluster", "a", "a0", &longest] {
            let text = format!("{name}:12350");
            let service: Service = text.parse().unwrap();
            assert_eq!((&*service.name, service.port), (name, 12350));
            assert_eq!(service.to_string(), text);
        }
        for text in [
            "",
            "a",
            "a:",
            ":1",
            "a:0",
            "a:65536",
            "a:b",
            "A:1",
            "a.b:1",
            "0a:1",
            "-a:1",
            "a-:1",
            "a_b:1",
            "http://a:1",
            &format!("{longest}a:1"),
        ] {
            assert!(text.parse::<Service>().is_err(), "{text}");
        }
    }
}
