//! What objects are called.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;

use internment::ArcIntern;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Kind;

/// A name: every equal one is the same allocation, which goes when the last of them does.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Name(ArcIntern<str>);

/// A map by names, or by what else is interned.
pub(crate) type NameMap<K, V> = HashMap<K, V, BuildHasherDefault<ByAddress>>;

/// Hashes interned things by where they are in memory, which input cannot choose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByAddress(u64);

impl Hasher for ByAddress {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        // The map takes the highest bits and the lowest, and addresses differ in the middle.
        let mixed = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::from("")
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.as_str().into())
    }
}

// By text and not by address, so that pages and reports have one order.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.deref().cmp(other)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// What tells an object from the others of its kind.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Key {
    /// Empty for an object of the whole cluster.
    pub namespace: Name,
    /// The object's own name.
    pub name: Name,
}

impl Key {
    /// Names an object; an empty `namespace` means one of the whole cluster.
    pub fn new(namespace: impl Into<Name>, name: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// What a finding is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Object {
    /// The kind.
    pub kind: &'static Kind,
    /// Which one of the kind.
    pub key: Key,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name, self.key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn equal_names_are_one_allocation_and_it_is_freed_with_the_last() {
        let known = || ArcIntern::<str>::from("a name of this test").refcount();
        let (first, second) =
            (Name::from("a name of this test"), Name::from("a name of this test"));
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_eq!(known(), 3);
        drop((first, second));
        assert_eq!(known(), 1);
    }

    #[test]
    fn names_sort_by_text() {
        let mut names = ["n10", "n2", "n1"].map(Name::from);
        names.sort();
        assert_eq!(names.map(|name| name.to_string()), ["n1", "n10", "n2"]);
    }

    #[test]
    fn equal_names_fall_together_and_others_apart() {
        let hasher = BuildHasherDefault::<ByAddress>::default();
        let names: Vec<Name> = (0..1000).map(|at| format!("pod-{at}").into()).collect();
        let hash = |name: &Name| hasher.hash_one(name);
        assert_eq!(hash(&names[7]), hash(&"pod-7".into()));
        let whole: BTreeSet<u64> = names.iter().map(hash).collect();
        assert_eq!(whole.len(), 1000);
        // What the map takes first: a thousand fall into most of 256 places.
        for shift in [0, 56] {
            let places: BTreeSet<u64> = whole.iter().map(|it| it >> shift & 0xff).collect();
            assert!(places.len() > 200, "{} of the bits from {shift}", places.len());
        }
    }
}
