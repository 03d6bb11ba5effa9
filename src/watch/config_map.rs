//! ConfigMaps as the API sends them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::object::Watched;
use crate::model::ConfigMap;

#[derive(Deserialize)]
pub(crate) struct Wire {
    data: Option<BTreeMap<String, Option<String>>>,
}

impl<const OF: usize> Watched for ConfigMap<OF> {
    type Metadata<'a> = IgnoredAny;
    type Wire<'a> = Wire;

    fn new(_: IgnoredAny, Wire { data }: Wire) -> Self {
        let texts = data.into_iter().flatten().filter_map(|(key, text)| Some((key, text?)));
        Self::new(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<ConfigMap<0>>(r#"{ "data": { "Corefile": "." }, "binaryData": {} }"#);
        assert_eq!(empty, ConfigMap::default());
    }

    #[test]
    fn it_has_its_texts() {
        let map: ConfigMap<0> = read(
            r#"{ "metadata": { "labels": {} }, "immutable": false,
                "data": { "NodeHosts": "1", "Corefile": ". {\n}\n" } }"#,
        );
        let texts = map.texts.iter().map(|it| (&*it.key, it.text.as_deref()));
        assert!(texts.eq([("Corefile", Some(". {\n}\n")), ("NodeHosts", Some("1"))]));
    }
}
