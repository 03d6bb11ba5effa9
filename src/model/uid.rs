//! What tells two objects of one name apart.

use std::fmt;

use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};

use super::Name;

/// `metadata.uid`: a StatefulSet's next pod has the same name and another one.
///
/// The API gives UUIDs, which are kept as 16 bytes; anything else is kept as it is.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uid(Form);

#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Form {
    Uuid([u8; 16]),
    Other(Name),
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Self(uuid(text).map_or_else(|| Form::Other(text.into()), Form::Uuid))
    }
}

/// Reads the one form that [`fmt::Display`] writes: lower case, with dashes.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let dashes = [8, 13, 18, 23];
    let right = |(at, byte): (usize, u8)| match byte {
        b'-' => dashes.contains(&at),
        b'0'..=b'9' | b'a'..=b'f' => !dashes.contains(&at),
        _ => false,
    };
    if text.len() != 36 || !text.bytes().enumerate().all(right) {
        return None;
    }
    let digits: String = text.split('-').collect();
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

impl Default for Uid {
    fn default() -> Self {
        Self::from("")
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Other(text) => f.write_str(text),
            Form::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if [4, 6, 8, 10].contains(&at) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A copy for a moment; only the 16 bytes stay.
        String::deserialize(deserializer).map(|text| text.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written() {
        for text in [
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "0F8FAD5B-d9cb-469f-a165-70867728950e",
            "u1",
            "",
        ] {
            assert_eq!(Uid::from(text).to_string(), text);
        }
        assert!(matches!(Uid::from("0f8fad5b-d9cb-469f-a165-70867728950e").0, Form::Uuid(_)));
    }
}
