//! Where the paths of an Ingress lead.

use std::collections::BTreeSet;

use super::classes::is_nginx;
use super::{BACKEND_MISSING, NO_ENDPOINTS, PORT_MISSING};
use crate::check::words::count;
use crate::check::{Finding, Output};
use crate::cluster::Cluster;
use crate::cluster::endpoints::slices_of;
use crate::model::{
    Backend, Ingress, IngressPath, Key, Name, Service, ServicePort, TargetPort, Unanswered,
};

/// What is wrong with the backends of an Ingress, each with the first place that leads there.
#[derive(Default)]
pub(super) struct Backends {
    missing: Vec<String>,
    without_port: Vec<String>,
    unready: Vec<String>,
}

impl Backends {
    pub(super) fn of(
        cluster: &Cluster,
        key: &Key,
        ingress: &Ingress,
        controller: Option<&Name>,
    ) -> Result<Self, Unanswered> {
        let mut found = Self::default();
        if ingress.is_redirect {
            return Ok(found);
        }
        let services = cluster.read::<Service>()?;
        services.namespace(&key.namespace).map(|_| ())?;
        let paths = ingress.paths.iter().map(|path| (place(path), &path.backend));
        let default = ingress.default.iter().map(|it| ("its default backend".to_owned(), it));
        let mut known: BTreeSet<&Backend> = BTreeSet::new();
        for (place, backend) in default.chain(paths) {
            let Backend::Service { name, port } = backend else { continue };
            if !known.insert(backend) {
                continue;
            }
            let service_key = Key { namespace: key.namespace.clone(), name: name.clone() };
            let Some(service) = services.get(&service_key) else {
                found.missing.push(format!("{place} leads to Service {name}, which is not there"));
                continue;
            };
            // A name of DNS, which has no endpoints and needs no ports.
            if service.external_name {
                continue;
            }
            if !service.ports.iter().any(|it| is_port(it, port, controller)) {
                let port = text(port);
                found.without_port.push(format!(
                    "{place} leads to port {port} of Service {name}, which has no such port"
                ));
                continue;
            }
            let mut endpoints = slices_of(cluster, &service_key)?.flat_map(|it| &it.endpoints);
            if !endpoints.any(|it| it.gets_traffic()) {
                found.unready.push(format!(
                    "{place} leads to Service {name}, of which no endpoint is ready"
                ));
            }
        }
        Ok(found)
    }

    /// Whether a Service, or a port of one, is not there.
    pub(super) fn is_missing(&self) -> bool {
        !self.missing.is_empty() || !self.without_port.is_empty()
    }

    /// Whether a Service has no ready endpoint.
    pub(super) fn is_unready(&self) -> bool {
        !self.unready.is_empty()
    }

    pub(super) fn tell(&self, out: &mut Output, key: &Key) {
        for (code, all, next) in [
            (&BACKEND_MISSING, &self.missing, "look at how its name is written"),
            (&PORT_MISSING, &self.without_port, "look at the ports of the Service"),
            (&NO_ENDPOINTS, &self.unready, "look at its pods"),
        ] {
            if !all.is_empty() {
                let message = format!("{}: {next}", first(all));
                out.finding(Finding::of::<Ingress>(code, key.clone(), message));
            }
        }
    }
}

/// Names the first of several things, and counts the others.
pub(super) fn first(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [only] => only.clone(),
        [first, others @ ..] => format!("{first}, and {} more", count(others.len())),
    }
}

/// Names a path as a client asks for it.
pub(super) fn place(path: &IngressPath) -> String {
    let host = if path.host.is_empty() { "*" } else { &*path.host };
    format!("{host}{}", if path.path.is_empty() { "/" } else { &*path.path })
}

pub(super) fn text(port: &TargetPort) -> String {
    match port {
        TargetPort::Number(number) => number.to_string(),
        TargetPort::Name(name) => name.to_string(),
    }
}

/// Whether a port of a Service is the one that is meant: by its number or its name. ingress-nginx,
/// and who is not known not to be it, takes a port by where that leads to as well.
fn is_port(port: &ServicePort, wanted: &TargetPort, controller: Option<&Name>) -> bool {
    let by_itself = match wanted {
        TargetPort::Number(number) => port.port == *number,
        TargetPort::Name(name) => port.name == *name,
    };
    by_itself || (port.target == *wanted && controller.is_none_or(is_nginx))
}
