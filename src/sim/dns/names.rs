//! What DNS knows of a cluster: its Services by name.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use hickory_server::proto::rr::rdata::{A, TXT};
use hickory_server::proto::rr::{RData, RecordType};
use serde_json::Value;

use crate::sim::api::Api;

/// The cluster's domain.
pub(crate) const DOMAIN: &str = "cluster.local";

/// The version of the DNS specification that is served, as CoreDNS says it.
const VERSION: &str = "1.1.0";

/// Addresses by `service.namespace`.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Vec<Ipv4Addr>>);

impl Names {
    /// Reads the Services, and the endpoints of those that are headless.
    pub(super) fn of(api: &Api) -> Self {
        let mut names = BTreeMap::new();
        let mut headless: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
        for slice in api.list("EndpointSlice") {
            let service = &slice["metadata"]["labels"]["kubernetes.io/service-name"];
            let addresses = headless.entry(dotted(service, &slice)).or_default();
            for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
                if endpoint["conditions"]["ready"].as_bool().unwrap_or(true) {
                    addresses.extend(read_addresses(&endpoint["addresses"]));
                }
            }
        }
        for service in api.list("Service") {
            let name = dotted(&service["metadata"]["name"], &service);
            let addresses = match service["spec"]["clusterIP"].as_str() {
                // Without a ready endpoint the name does not exist, as CoreDNS has it.
                Some("None") => headless.remove(&name).unwrap_or_default(),
                _ => read_addresses(&service["spec"]["clusterIPs"]).collect(),
            };
            if !addresses.is_empty() {
                names.insert(name, addresses);
            }
        }
        Self(names)
    }

    /// Returns the records of a name, and none when there is no such name.
    ///
    /// A name that has no records of the kind exists all the same.
    pub(super) fn look_up(&self, name: &str, kind: RecordType) -> Option<Vec<RData>> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let name = name.strip_suffix(DOMAIN)?.strip_suffix('.')?;
        if name == "dns-version" {
            let text = RData::TXT(TXT::new(vec![VERSION.to_owned()]));
            return Some(if kind == RecordType::TXT { vec![text] } else { Vec::new() });
        }
        let addresses = self.0.get(name.strip_suffix(".svc")?)?;
        let records = addresses.iter().map(|address| RData::A(A(*address)));
        Some(if kind == RecordType::A { records.collect() } else { Vec::new() })
    }
}

fn dotted(service: &Value, object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}.{}", text(service), text(&object["metadata"]["namespace"]))
}

fn read_addresses(value: &Value) -> impl Iterator<Item = Ipv4Addr> {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.filter_map(|text| text.parse().ok())
}
