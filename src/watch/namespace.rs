//! Namespaces as the API sends them.

use serde::Deserialize;

use super::field::or_default;
use super::object::{Metadata, Object, Watched};
use crate::model::Namespace;

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    metadata: Metadata<'a>,
}

impl<'a> Object<'a> for Wire<'a> {
    fn metadata(&self) -> &Metadata<'a> {
        &self.metadata
    }
}

impl Watched for Namespace {
    type Wire<'a> = Wire<'a>;
}

impl From<Wire<'_>> for Namespace {
    fn from(Wire { metadata }: Wire<'_>) -> Self {
        Self { uid: metadata.uid.unwrap_or_default(), labels: metadata.labels.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty =
            absent::<Namespace>(r#"{ "metadata": { "uid": "u", "labels": { "a": "b" } } }"#);
        assert_eq!(empty, Namespace::default());
    }

    #[test]
    fn a_namespace_has_its_uid_and_its_labels() {
        let namespace: Namespace = read(
            r#"{ "metadata": { "uid": "u", "labels":
                { "pod-security.kubernetes.io/enforce": "restricted" } } }"#,
        );
        assert_eq!(namespace.uid, "u".into());
        assert_eq!(namespace.enforced(), Some("restricted"));
    }
}
