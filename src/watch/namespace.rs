//! Namespaces as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::object::Watched;
use crate::model::{Labels, Namespace, Uid};

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
pub(crate) struct Metadata {
    uid: Option<Uid>,
    labels: Option<Labels>,
}

impl Watched for Namespace {
    type Metadata<'a> = Metadata;
    type Wire<'a> = IgnoredAny;

    fn new(metadata: Metadata, _: IgnoredAny) -> Self {
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
