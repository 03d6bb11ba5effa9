//! An object as JSON in one pass: its identity, the metadata that its kind asks for, the rest.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};

use super::field::Text;
use crate::model::Name;

/// Some fields of a JSON object, and what another type makes of all others.
///
/// Unlike serde's `flatten`, nothing is kept aside until the end.
#[derive(Debug, Default)]
pub(super) struct Split<A, R> {
    pub(super) aside: A,
    pub(super) rest: R,
}

/// The fields that a [`Split`] takes out.
pub(super) trait Aside<'de>: Default {
    /// Reads the value of `field` if it is one of these, and returns whether it is.
    fn take<M: MapAccess<'de>>(&mut self, field: &str, map: &mut M) -> Result<bool, M::Error>;
}

/// `metadata`; absent and `null` are the default.
#[derive(Debug, Default)]
pub(super) struct InMetadata<M>(pub(super) M);

impl<'de, M: Default + Deserialize<'de>> Aside<'de> for InMetadata<M> {
    fn take<A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<bool, A::Error> {
        if field != "metadata" {
            return Ok(false);
        }
        self.0 = map.next_value::<Option<M>>()?.unwrap_or_default();
        Ok(true)
    }
}

/// What every object has in its metadata.
#[derive(Debug, Default)]
pub(super) struct Identity<'a> {
    pub(super) name: Option<Name>,
    pub(super) namespace: Option<Name>,
    pub(super) version: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Aside<'de> for Identity<'a> {
    fn take<M: MapAccess<'de>>(&mut self, field: &str, map: &mut M) -> Result<bool, M::Error> {
        match field {
            "name" => self.name = map.next_value()?,
            "namespace" => self.namespace = map.next_value()?,
            "resourceVersion" => self.version = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de, A: Aside<'de>, R: Deserialize<'de>> Deserialize<'de> for Split<A, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<A, R>(PhantomData<(A, R)>);
        impl<'de, A: Aside<'de>, R: Deserialize<'de>> Visitor<'de> for Object<A, R> {
            type Value = Split<A, R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                let mut aside = A::default();
                let others = Others { map, aside: &mut aside };
                let rest = R::deserialize(MapAccessDeserializer::new(others))?;
                Ok(Split { aside, rest })
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// The fields of an object without those that are taken out.
struct Others<'s, M, A> {
    map: M,
    aside: &'s mut A,
}

impl<'de, M: MapAccess<'de>, A: Aside<'de>> MapAccess<'de> for Others<'_, M, A> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, M::Error> {
        while let Some(field) = self.map.next_key::<Text<'de>>()? {
            if !self.aside.take(&field, &mut self.map)? {
                return seed.deserialize((*field).into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, M::Error> {
        self.map.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Rest {
        spec: u8,
        more: Option<u8>,
    }

    type Whole<'a> = Split<InMetadata<Split<Identity<'a>, IgnoredAny>>, Rest>;

    #[test]
    fn fields_come_in_any_order_and_each_goes_where_it_belongs() {
        for json in [
            r#"{ "kind": "A", "metadata": { "labels": { "name": "no" }, "name": "a" }, "spec": 7 }"#,
            r#"{ "spec": 7, "metadata": { "name": "a", "annotations": null }, "other": [{}] }"#,
            r#"{ "m\u0065tadata": { "n\u0061me": "a" }, "sp\u0065c": 7 }"#,
        ] {
            let whole: Whole<'_> = serde_json::from_str(json).unwrap();
            let Split { aside: InMetadata(metadata), rest } = whole;
            assert_eq!(metadata.aside.name.as_deref(), Some("a"), "{json}");
            assert_eq!((rest.spec, rest.more), (7, None), "{json}");
        }
    }

    #[test]
    fn absent_and_null_metadata_are_none_and_anything_else_is_refused() {
        for json in ["{}", r#"{ "metadata": null }"#, r#"{ "metadata": { "name": null } }"#] {
            let whole: Whole<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(whole.aside.0.aside.name, None, "{json}");
        }
        for json in [r#"{ "metadata": 7 }"#, r#"{ "metadata": { "name": 7 } }"#, "7", "[]"] {
            assert!(serde_json::from_str::<Whole<'_>>(json).is_err(), "{json}");
        }
    }
}
