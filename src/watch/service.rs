//! Services as the API sends them.

use serde::Deserialize;

use super::seen::Watched;
use crate::model::{Labels, Service};

const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

#[derive(Deserialize)]
pub(crate) struct Wire {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Metadata {
    labels: Option<Labels>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    r#type: Option<String>,
    selector: Option<Labels>,
}

impl Watched for Service {
    type Wire = Wire;
}

impl From<Wire> for Service {
    fn from(Wire { metadata, spec }: Wire) -> Self {
        let labelled = metadata.labels.is_some_and(|labels| labels.get(PROXY_NAME).is_some());
        Self {
            selector: spec.selector.unwrap_or_default(),
            routed: !labelled && spec.r#type.as_deref() != Some("ExternalName"),
            ..Self::default()
        }
    }
}
