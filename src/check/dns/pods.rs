//! The DNS Service, and the pods behind it, for remedies to name.

use super::queries::NO_SERVICE;
use crate::check::Finding;
use crate::cluster::Cluster;
use crate::model::{EndpointSlice, Key, Pod, Service, Unanswered};

/// Returns the DNS Service that this role was told of.
///
/// # Errors
///
/// Returns why there is none: Services cannot be read, or it has another name.
pub(super) fn service(cluster: &Cluster) -> Result<&Service, Unanswered> {
    let key = &cluster.settings().dns_service;
    let services = cluster.read::<Service>()?;
    if let Some(service) = services.get(key) {
        return Ok(service);
    }
    // It may be the one that cannot be decoded.
    drop(services.namespace(&key.namespace)?);
    Err(NO_SERVICE.into())
}

/// Counts what a Service leads to: what is ready, or ends and still serves.
///
/// # Errors
///
/// As [`Cluster::read`] for EndpointSlices, and where one of its namespace cannot be decoded.
pub(super) fn endpoints(cluster: &Cluster, service: &Key) -> Result<usize, Unanswered> {
    let slices = cluster.read::<EndpointSlice>()?.namespace(&service.namespace)?;
    let own = slices.filter(|(key, slice)| slice.service_key(key).as_ref() == Some(service));
    let endpoints = own.flat_map(|(_, slice)| &slice.endpoints);
    Ok(endpoints.filter(|it| it.gets_traffic()).count())
}

/// How to find them and what makes them anew, where the API has said so.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// The Service's selector, as kubectl takes it.
    selector: Option<String>,
    /// What owns one of them.
    owner: Option<String>,
    /// The Service's namespace.
    namespace: String,
}

impl Pods {
    /// Looks at the Service and its pods as they were last seen: remedies are wanted while the API
    /// is away.
    pub(super) fn of(cluster: &Cluster, service: &Key) -> Self {
        let namespace = service.namespace.to_string();
        let known = cluster.last_known::<Service>().and_then(|services| services.get(service));
        let Some(selector) = known.map(|it| &it.selector).filter(|it| !it.is_empty()) else {
            return Self { namespace, ..Self::default() };
        };
        let pods = cluster.last_known::<Pod>().into_iter();
        let mut pods = pods.flat_map(|pods| pods.last_known_namespace(&service.namespace));
        let owner = pods.find_map(|(_, pod)| selector.select(&pod.labels).then(|| pod.owner())?);
        let labels = selector.iter().map(|(key, value)| format!("{key}={value}"));
        let selector = Some(labels.collect::<Vec<_>>().join(","));
        Self { selector, owner, namespace }
    }

    /// Fills what a finding tells to run.
    pub(super) fn name(&self, finding: Finding) -> Finding {
        self.name_without_owner(finding).with("owner", self.owner.as_ref())
    }

    /// Fills what a finding tells to run that does not change what makes the pods.
    pub(super) fn name_without_owner(&self, finding: Finding) -> Finding {
        finding
            .with("selector", self.selector.as_ref())
            .with("dns_namespace", Some(&self.namespace))
    }
}
