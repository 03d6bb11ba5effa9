//! What cert-manager keeps of certificates, and of how it gets them.

use std::time::Duration;

use super::{Fact, Kind, Name, Scope, Status};

/// The group of certificates, requests and issuers.
const GROUP: &str = "cert-manager.io";

/// The group of what cert-manager asks an ACME server for.
const ACME: &str = "acme.cert-manager.io";

/// What an object says of itself in one condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Says {
    /// `status`.
    pub status: Status,
    /// `reason`, one word.
    pub reason: Name,
    /// `lastTransitionTime`, since 1970.
    pub since: Option<Duration>,
}

/// What is kept of a Certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Certificate {
    /// `metadata.creationTimestamp`, since 1970; absent only in hand-made objects.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `spec.issuerRef`.
    pub issuer: IssuerRef,
    /// Condition `Ready`: about the certificate that there is. It stays true while renewals fail.
    pub ready: Option<Says>,
    /// Condition `Ready` is about an older generation: a change has not been looked at.
    pub unseen: bool,
    /// Condition `Issuing` is true: a new certificate is asked for since then.
    pub issuing: Option<Duration>,
    /// `status.notBefore`.
    pub not_before: Option<Duration>,
    /// `status.notAfter`.
    pub not_after: Option<Duration>,
    /// `status.renewalTime`: when it is to be renewed; absent where it is not to be.
    pub renewal: Option<Duration>,
    /// `status.failedIssuanceAttempts`, since the last that succeeded.
    pub failures: u32,
    /// `status.lastFailureTime`.
    pub failed: Option<Duration>,
}

/// Who is to issue.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct IssuerRef {
    /// `group`; empty means cert-manager's own.
    pub group: Name,
    /// `kind`; empty means Issuer.
    pub kind: Name,
    /// `name`.
    pub name: Name,
}

impl IssuerRef {
    /// Whether it is an Issuer or a ClusterIssuer, and none that another program brings.
    pub fn is_own(&self) -> bool {
        let is_own = self.group.is_empty() || *self.group == *GROUP;
        is_own && matches!(&*self.kind, "" | "Issuer" | "ClusterIssuer")
    }

    /// Whether it stands beside the namespaces.
    pub fn is_of_cluster(&self) -> bool {
        *self.kind == *ClusterIssuer::KIND.name
    }
}

/// What is kept of a CertificateRequest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CertificateRequest {
    /// `metadata.creationTimestamp`, since 1970.
    pub created: Option<Duration>,
    /// The Certificate that it is for; absent where another program made it.
    pub certificate: Option<Name>,
    /// `spec.issuerRef`.
    pub issuer: IssuerRef,
    /// How far it is.
    pub stage: Stage,
}

/// How far a CertificateRequest is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Stage {
    /// Nobody has approved or denied it.
    #[default]
    Unapproved,
    /// It is approved, and its issuer has not answered.
    Pending,
    /// It was denied, which is final.
    Denied,
    /// It failed or is invalid, which is final.
    Failed,
    /// It was issued.
    Issued,
}

/// What is kept of an Issuer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Issuer {
    /// `metadata.creationTimestamp`, since 1970.
    pub created: Option<Duration>,
    /// Condition `Ready`.
    pub ready: Option<Says>,
}

/// What is kept of a ClusterIssuer: as of an [`Issuer`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClusterIssuer(pub Issuer);

/// What is kept of an Order at an ACME server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Order {
    /// The CertificateRequest that it is for.
    pub request: Option<Name>,
    /// `status.state`; empty until it is looked at.
    pub state: Name,
}

/// What is kept of a Challenge of an ACME server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Challenge {
    /// `metadata.creationTimestamp`, since 1970.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp`, since 1970.
    pub deleted: Option<Duration>,
    /// The Order that it is for.
    pub order: Option<Name>,
    /// `spec.type`: `HTTP-01` or `DNS-01`.
    pub class: Name,
    /// `spec.dnsName`.
    pub name: Name,
    /// `spec.issuerRef`.
    pub issuer: IssuerRef,
    /// `status.state` is one that does not change any more.
    pub ended: bool,
    /// What it waits for.
    pub waits: Waits,
}

/// What a Challenge waits for, as far as `status` tells.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Waits {
    /// Its turn.
    Turn,
    /// To be presented: a record of DNS, or a pod that answers, is to be made.
    Presented,
    /// A record of DNS that is not seen yet.
    Record,
    /// An address of the name.
    Address,
    /// An answer with status 200, in the place of this one.
    Status(u16),
    /// The right answer, where something else answers.
    Answer,
    /// Any answer.
    Silence,
    /// The server, which asks for a pause.
    Limit,
    /// Something else.
    #[default]
    Other,
}

impl Fact for Certificate {
    const KIND: &'static Kind = &own("Certificate", "certificates");
}

impl Fact for CertificateRequest {
    const KIND: &'static Kind = &own("CertificateRequest", "certificaterequests");
}

impl Fact for Issuer {
    const KIND: &'static Kind = &own("Issuer", "issuers");
}

impl Fact for ClusterIssuer {
    const KIND: &'static Kind =
        &Kind { scope: Scope::Cluster, ..own("ClusterIssuer", "clusterissuers") };
}

impl Fact for Order {
    const KIND: &'static Kind = &Kind { group: ACME, ..own("Order", "orders") };
}

impl Fact for Challenge {
    const KIND: &'static Kind = &Kind { group: ACME, ..own("Challenge", "challenges") };
}

const fn own(name: &'static str, plural: &'static str) -> Kind {
    Kind { group: GROUP, optional: true, ..Kind::new(name, plural) }
}
