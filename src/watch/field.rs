//! Fields of API objects as JSON: each may be absent, `null`, or written in more than one way.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::quantity;
use crate::model::{Name, Protocol, Status, TargetPort};

/// Reads `null` as an absent field is read.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text that is looked at and not kept: borrowed from the JSON where no escape forbids it.
///
/// serde borrows for a plain `Cow<str>` only, not inside of an `Option`.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

/// A moment since 1970, written as in RFC 3339; an earlier one reads as 1970.
#[derive(Debug)]
pub(super) struct Moment(pub(super) Duration);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        // Not jiff's own words: the message becomes a line of the log.
        let moment: Timestamp = text.parse().map_err(|_| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"a time as in RFC 3339")
        })?;
        Ok(Self(moment.duration_since(Timestamp::UNIX_EPOCH).try_into().unwrap_or_default()))
    }
}

/// A `targetPort`: a number, or the name of a container port.
#[derive(Debug)]
pub(super) struct Target(pub(super) TargetPort);

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = TargetPort;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port's number or name")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<TargetPort, E> {
                let port = u16::try_from(number).map_err(|_| {
                    E::invalid_value(de::Unexpected::Unsigned(number), &"a port's number")
                })?;
                Ok(TargetPort::Number(port))
            }

            fn visit_str<E>(self, text: &str) -> Result<TargetPort, E> {
                let number = text.parse().map(TargetPort::Number);
                Ok(number.unwrap_or_else(|_| TargetPort::Name(text.into())))
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

/// A whole quantity: `110`, `"110"`, `"1k"`, `"1Ki"`, `"2e3"`; fractions are cut off.
#[derive(Debug)]
pub(super) struct Quantity(pub(super) u64);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                let number = quantity::whole(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
                Ok(Quantity(number))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a protocol; absent means TCP everywhere in the API.
pub(super) fn protocol(text: Option<&str>) -> Protocol {
    match text {
        None | Some("TCP") => Protocol::Tcp,
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        Some(_) => Protocol::Other,
    }
}

/// One of `status.conditions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    pub(super) reason: Option<Name>,
    #[serde(borrow)]
    pub(super) message: Option<Text<'a>>,
    pub(super) last_transition_time: Option<Moment>,
    pub(super) observed_generation: Option<u64>,
}

impl Condition<'_> {
    /// Whether it is about `what`.
    pub(super) fn is(&self, what: &str) -> bool {
        self.r#type.as_deref() == Some(what)
    }

    /// Returns what it is about.
    pub(super) fn kind(&self) -> Option<&str> {
        self.r#type.as_deref()
    }

    /// Returns its status; absent means unknown, as does any other word.
    pub(super) fn status(&self) -> Status {
        match self.status.as_deref() {
            Some("True") => Status::True,
            Some("False") => Status::False,
            _ => Status::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_borrowed_unless_it_is_escaped() {
        for (json, text, borrowed) in [(r#""a b""#, "a b", true), (r#""a\nb""#, "a\nb", false)] {
            let read: Option<Text<'_>> = read(json).unwrap();
            let read = read.unwrap();
            assert_eq!((&*read, matches!(read.0, Cow::Borrowed(_))), (text, borrowed), "{json}");
        }
    }

    #[test]
    fn a_time_is_a_duration_since_1970() {
        for (json, seconds) in [
            (r#""1970-01-01T00:00:00Z""#, Ok(0.0)),
            (r#""2026-07-01T12:00:00Z""#, Ok(1_782_907_200.0)),
            (r#""2026-07-01T14:00:00.25+02:00""#, Ok(1_782_907_200.25)),
            (r#""1969-12-31T23:59:59Z""#, Ok(0.0)),
            (r#""yesterday""#, Err(())),
            ("7", Err(())),
        ] {
            let read = read::<Moment>(json).map(|moment| moment.0.as_secs_f64()).map_err(drop);
            assert_eq!(read, seconds, "{json}");
        }
    }

    #[test]
    fn a_quantity_is_a_number_or_a_text_with_a_suffix() {
        for (json, number) in [
            ("110", Some(110)),
            (r#""110""#, Some(110)),
            (r#""1k""#, Some(1000)),
            (r#""1.5k""#, Some(1500)),
            (r#""1Ki""#, Some(1024)),
            (r#""110000m""#, Some(110)),
            (r#""2e3""#, Some(2000)),
            (r#""2E3""#, Some(2000)),
            (r#""-1""#, None),
            (r#""inf""#, None),
            (r#""many""#, None),
            (r#""""#, None),
        ] {
            assert_eq!(read::<Quantity>(json).ok().map(|read| read.0), number, "{json}");
        }
    }

    #[test]
    fn a_target_port_is_a_number_or_a_name() {
        for (json, port) in [
            ("8080", Some(TargetPort::Number(8080))),
            (r#""8080""#, Some(TargetPort::Number(8080))),
            (r#""web""#, Some(TargetPort::Name("web".into()))),
            ("70000", None),
        ] {
            assert_eq!(read::<Target>(json).ok().map(|read| read.0), port, "{json}");
        }
    }
}
