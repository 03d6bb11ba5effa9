//! Who issues, whether they can, and for whom.

use std::collections::BTreeMap;

use super::age::LONG;
use super::codes::{ISSUER_NOT_READY, ISSUER_UNUSED};
use super::issuance::read;
use crate::check::age::{is_old, lasts};
use crate::check::words::some;
use crate::check::{Finding, Output};
use crate::cluster::{Cluster, Table};
use crate::model::{
    Certificate, CertificateRequest, ClusterIssuer, Fact, Issuer, IssuerRef, Key, Kind, Object,
    Status,
};

/// The issuers that are cert-manager's own.
pub(super) struct Issuers<'a> {
    of_namespaces: Option<&'a Table<Issuer>>,
    of_cluster: Option<&'a Table<ClusterIssuer>>,
    /// How many Certificates name an issuer, and whether anything does.
    named: BTreeMap<(&'static Kind, Key), usize>,
    /// A Certificate or a request cannot be seen, and may name any of them.
    is_partial: bool,
}

impl<'a> Issuers<'a> {
    pub(super) fn of(
        cluster: &'a Cluster,
        certificates: &Table<Certificate>,
        out: &mut Output,
    ) -> Self {
        let mut named: BTreeMap<(&'static Kind, Key), usize> = BTreeMap::new();
        for (key, certificate) in certificates.iter() {
            if let Some(issuer) = object(key, &certificate.issuer) {
                *named.entry(issuer).or_default() += 1;
            }
        }
        // Other programs ask by requests of their own.
        let requests = cluster.read::<CertificateRequest>().ok();
        for (key, request) in requests.into_iter().flat_map(Table::iter) {
            if let Some(issuer) = object(key, &request.issuer) {
                named.entry(issuer).or_default();
            }
        }
        Self {
            of_namespaces: read::<Issuer>(cluster, "issuers", out),
            of_cluster: read::<ClusterIssuer>(cluster, "clusterissuers", out),
            named,
            is_partial: certificates.has_undecoded() || requests.is_none_or(Table::has_undecoded),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Whether the issuer that a Certificate names is sure not to be there.
    pub(super) fn is_missing(&self, key: &Key, certificate: &Certificate) -> bool {
        let Some((kind, issuer)) = object(key, &certificate.issuer) else { return false };
        if kind == ClusterIssuer::KIND {
            self.of_cluster.is_some_and(|it| !it.has_undecoded() && it.get(&issuer).is_none())
        } else {
            self.of_namespaces.is_some_and(|it| !it.has_undecoded() && it.get(&issuer).is_none())
        }
    }

    fn all(&self) -> impl Iterator<Item = (&'static Kind, &Key, &Issuer)> {
        let of_namespaces = self.of_namespaces.into_iter().flat_map(Table::iter);
        let of_cluster = self.of_cluster.into_iter().flat_map(Table::iter);
        of_namespaces
            .map(|(key, issuer)| (Issuer::KIND, key, issuer))
            .chain(of_cluster.map(|(key, issuer)| (ClusterIssuer::KIND, key, &issuer.0)))
    }

    /// Tells of those that cannot issue.
    pub(super) fn tell(&self, cluster: &Cluster, out: &mut Output) {
        for (kind, key, issuer) in self.all() {
            let ready = issuer.ready.as_ref();
            let since = ready.and_then(|ready| ready.since).max(issuer.created);
            let is_ready = ready.is_some_and(|ready| ready.status == Status::True);
            if is_ready || !is_old(cluster, since, LONG) {
                continue;
            }
            let lasts = lasts(cluster, since);
            let reason = ready.map_or("nothing is said of it", |ready| &*ready.reason);
            let named = self.named.get(&(kind, key.clone())).copied();
            let (code, of) = match named {
                Some(0) => (&ISSUER_NOT_READY, "requests name it".to_owned()),
                Some(1) => (&ISSUER_NOT_READY, "1 Certificate names it".to_owned()),
                Some(many) => (&ISSUER_NOT_READY, format!("{} name it", some(many, "Certificate"))),
                None if self.is_partial => (&ISSUER_NOT_READY, "who names it is not seen".into()),
                None => (&ISSUER_UNUSED, "no Certificate names it".to_owned()),
            };
            let message = format!("not ready{lasts}, {reason}; {of}: look at its message");
            let subject = Object { kind, key: key.clone() };
            out.finding(Finding::about(code, subject, message));
        }
    }
}

/// Names an issuer in a sentence.
pub(super) fn named(issuer: &IssuerRef) -> String {
    let kind = if issuer.kind.is_empty() { Issuer::KIND.name } else { &issuer.kind };
    format!("{kind} {}", issuer.name)
}

/// Returns which object an issuer is, as seen from `key`; absent where another program brings it.
fn object(key: &Key, issuer: &IssuerRef) -> Option<(&'static Kind, Key)> {
    let found = if issuer.is_of_cluster() {
        (ClusterIssuer::KIND, Key::new("", issuer.name.clone()))
    } else {
        (Issuer::KIND, Key::new(key.namespace.clone(), issuer.name.clone()))
    };
    issuer.is_own().then_some(found)
}
