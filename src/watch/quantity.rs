//! Quantities as the API writes them: `100m`, `0.1`, `1e3`, `170Mi`, `2k`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The suffixes but the exponents; `E` alone is one too.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// A sum of thousandths may miss a whole number by a rounding error.
const NEARLY: f64 = 1e-9;

/// A quantity that spoils nothing around it: of what is none, only that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Lenient(Option<f64>);

impl Lenient {
    /// Returns it in units of which it has so many, rounded up as the API does; absent where it is
    /// no quantity.
    pub(super) fn units(self, each: f64) -> Option<u64> {
        // What is too large for the type becomes its largest number.
        self.0.map(|number| (number * each - NEARLY).ceil() as u64)
    }
}

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lenient, E> {
                Ok(Lenient(number(text)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Lenient, E> {
                Ok(Lenient(Some(number as f64)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Lenient, E> {
                Ok(Lenient((number >= 0).then_some(number as f64)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Lenient, E> {
                Ok(Lenient((number >= 0.0).then_some(number)))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lenient, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Lenient, A::Error> {
                while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Returns the whole part of what `text` says.
pub(super) fn whole(text: &str) -> Option<u64> {
    number(text).map(|number| (number + NEARLY) as u64)
}

/// Returns what `text` says, if it is a quantity that is not negative.
fn number(text: &str) -> Option<f64> {
    let suffixed = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|digits| (digits, *factor)));
    let (digits, factor) = suffixed.unwrap_or((text, 1.0));
    // Words such as `inf` are numbers to Rust alone.
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'e' | b'E' | b'-');
    let number = digits.parse::<f64>().ok().filter(|_| digits.bytes().all(plain))? * factor;
    (number >= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Lenient> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn every_form_of_a_quantity_is_read() {
        for (json, thousandths, whole) in [
            (r#""100m""#, 100, 1),
            (r#""0.1""#, 100, 1),
            (r#"".1""#, 100, 1),
            (r#""+0.1""#, 100, 1),
            ("0.1", 100, 1),
            (r#""0.57""#, 570, 1),
            (r#""1""#, 1000, 1),
            ("1", 1000, 1),
            (r#""1e3""#, 1_000_000, 1000),
            (r#""1E3""#, 1_000_000, 1000),
            (r#""1e-1""#, 100, 1),
            (r#""2k""#, 2_000_000, 2000),
            (r#""1500u""#, 2, 1),
            (r#""2n""#, 1, 1),
            (r#""0""#, 0, 0),
            ("0", 0, 0),
            (r#""0m""#, 0, 0),
            (r#""170Mi""#, 178_257_920_000, 178_257_920),
            (r#""512M""#, 512_000_000_000, 512_000_000),
            (r#""128974848""#, 128_974_848_000, 128_974_848),
            (r#""128974848000m""#, 128_974_848_000, 128_974_848),
            (r#""1Gi""#, 1_073_741_824_000, 1_073_741_824),
            (r#""1.5Ki""#, 1_536_000, 1536),
            (r#""2E""#, 2_000_000_000_000_000_000_000, 2_000_000_000_000_000_000_u128),
        ] {
            let read = read(json).unwrap();
            let most = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
            let numbers = [read.units(1000.0), read.units(1.0)];
            assert_eq!(numbers, [Some(most(thousandths)), Some(most(whole))], "{json}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_known_to_be_none_and_spoils_nothing() {
        let long = format!("\"{}\"", "9".repeat(100_000));
        for (json, number) in [
            (r#""""#, None),
            (r#""-1""#, None),
            ("-1", None),
            ("-0.5", None),
            (r#""inf""#, None),
            (r#""NaN""#, None),
            (r#""infinity""#, None),
            (r#""many""#, None),
            (r#""m""#, None),
            (r#""Mi""#, None),
            (r#""e""#, None),
            (r#""1e""#, None),
            (r#""--1""#, None),
            (r#""1.2.3""#, None),
            (r#""0x10""#, None),
            (r#""1_000""#, None),
            (r#"" 1""#, None),
            (r#""1 Gi""#, None),
            (r#""100mm""#, None),
            (r#""1\u0000""#, None),
            (r#""１Gi""#, None),
            (r#""½""#, None),
            (r#""1Gí""#, None),
            (r#""$(id)""#, None),
            ("true", None),
            (r#"["1"]"#, None),
            (r#"{"cpu": {"of": [1]}}"#, None),
            // More than there is, which is a quantity all the same.
            (r#""1e400""#, Some(u64::MAX)),
            (r#""1e400n""#, Some(u64::MAX)),
            (r#""99999999999Ei""#, Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            (&long, Some(u64::MAX)),
            // Less than any.
            (r#""1e-400""#, Some(0)),
        ] {
            let said = json.chars().take(40).collect::<String>();
            assert_eq!(read(json).unwrap().units(1.0), number, "{said}");
        }
        assert_eq!(read("null"), None);
    }
}
