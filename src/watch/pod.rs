//! Pods as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::seen::Watched;
use crate::model::{Labels, Pod, Uid};

#[derive(Deserialize)]
pub(crate) struct Wire {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: Option<Uid>,
    labels: Option<Labels>,
    deletion_timestamp: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(rename = "podIPs")]
    pod_ips: Option<Vec<PodIp>>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct PodIp {
    ip: Option<String>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: Option<String>,
    status: Option<String>,
}

impl Watched for Pod {
    type Wire = Wire;
}

impl From<Wire> for Pod {
    fn from(Wire { metadata, status }: Wire) -> Self {
        let addresses = status.pod_ips.into_iter().flatten().filter_map(|pod| pod.ip);
        let is_ready = |condition: &Condition| {
            condition.r#type.as_deref() == Some("Ready")
                && condition.status.as_deref() == Some("True")
        };
        Self {
            uid: metadata.uid.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            addresses: addresses.filter_map(|address| address.parse().ok()).collect(),
            ended: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            ready: status.conditions.is_some_and(|all| all.iter().any(is_ready)),
            terminating: metadata.deletion_timestamp.is_some(),
            ..Self::default()
        }
    }
}
