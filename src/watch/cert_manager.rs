//! What cert-manager keeps, as the API sends it.

use serde::Deserialize;

use super::field::{Condition, Moment, Text, or_default};
use super::object::Watched;
use super::pod::{Owner, controller};
use crate::model::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Fact, Issuer, IssuerRef, Name,
    Order, Says, Stage, Status, Waits,
};

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<Moment>,
    generation: Option<u64>,
    #[serde(borrow)]
    owner_references: Option<Vec<Owner<'a>>>,
}

/// An object with conditions.
#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(default, deserialize_with = "or_default")]
    spec: Spec,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: WireStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default, deserialize_with = "or_default")]
    issuer_ref: Reference,
}

#[derive(Default, Deserialize)]
struct Reference {
    group: Option<Name>,
    kind: Option<Name>,
    name: Option<Name>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStatus<'a> {
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
    not_before: Option<Moment>,
    not_after: Option<Moment>,
    renewal_time: Option<Moment>,
    failed_issuance_attempts: Option<u32>,
    last_failure_time: Option<Moment>,
}

impl<'a> WireStatus<'a> {
    fn find(&self, what: &str) -> Option<&Condition<'a>> {
        self.conditions.iter().flatten().find(|condition| condition.is(what))
    }

    fn is_true(&self, what: &str) -> bool {
        self.find(what).is_some_and(|condition| condition.status() == Status::True)
    }

    fn ready(&self) -> Option<Says> {
        self.find("Ready").map(|condition| Says {
            status: condition.status(),
            reason: condition.reason.clone().unwrap_or_default(),
            since: condition.last_transition_time.as_ref().map(|moment| moment.0),
        })
    }
}

impl From<Reference> for IssuerRef {
    fn from(Reference { group, kind, name }: Reference) -> Self {
        let [group, kind, name] = [group, kind, name].map(Option::unwrap_or_default);
        Self { group, kind, name }
    }
}

impl Watched for Certificate {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { spec, status }: Wire<'_>) -> Self {
        let seen = status.find("Ready").and_then(|condition| condition.observed_generation);
        let issuing = status.find("Issuing").filter(|it| it.status() == Status::True);
        let issuing = issuing.and_then(|it| Some(it.last_transition_time.as_ref()?.0));
        let moment = |moment: Option<Moment>| moment.map(|it| it.0);
        Self {
            created: moment(metadata.creation_timestamp),
            terminating: metadata.deletion_timestamp.is_some(),
            issuer: spec.issuer_ref.into(),
            ready: status.ready(),
            unseen: seen.zip(metadata.generation).is_some_and(|(seen, now)| seen < now),
            issuing,
            not_before: moment(status.not_before),
            not_after: moment(status.not_after),
            renewal: moment(status.renewal_time),
            failures: status.failed_issuance_attempts.unwrap_or_default(),
            failed: moment(status.last_failure_time),
        }
    }
}

impl Watched for CertificateRequest {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { spec, status }: Wire<'_>) -> Self {
        let ready = status.ready();
        let reason = ready.as_ref().map_or("", |ready| &*ready.reason);
        let stage = if ready.as_ref().is_some_and(|ready| ready.status == Status::True) {
            Stage::Issued
        } else if status.is_true("Denied") || reason == "Denied" {
            Stage::Denied
        } else if status.is_true("InvalidRequest") || reason == "Failed" {
            Stage::Failed
        } else if status.is_true("Approved") {
            Stage::Pending
        } else {
            Stage::Unapproved
        };
        Self {
            created: metadata.creation_timestamp.map(|moment| moment.0),
            certificate: controller(&metadata.owner_references, Certificate::KIND.name),
            issuer: spec.issuer_ref.into(),
            stage,
        }
    }
}

impl Watched for Issuer {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { status, .. }: Wire<'_>) -> Self {
        let created = metadata.creation_timestamp.map(|moment| moment.0);
        Self { created, ready: status.ready() }
    }
}

impl Watched for ClusterIssuer {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, wire: Wire<'_>) -> Self {
        Self(Issuer::new(metadata, wire))
    }
}

#[derive(Deserialize)]
pub(crate) struct WireOrder {
    #[serde(default, deserialize_with = "or_default")]
    status: OrderStatus,
}

#[derive(Default, Deserialize)]
struct OrderStatus {
    state: Option<Name>,
}

impl Watched for Order {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = WireOrder;

    fn new(metadata: Metadata<'_>, WireOrder { status }: WireOrder) -> Self {
        Self {
            request: controller(&metadata.owner_references, CertificateRequest::KIND.name),
            state: status.state.unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct WireChallenge<'a> {
    #[serde(default, deserialize_with = "or_default")]
    spec: ChallengeSpec,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: ChallengeStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChallengeSpec {
    r#type: Option<Name>,
    dns_name: Option<Name>,
    #[serde(default, deserialize_with = "or_default")]
    issuer_ref: Reference,
}

#[derive(Default, Deserialize)]
struct ChallengeStatus<'a> {
    processing: Option<bool>,
    presented: Option<bool>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
}

impl Watched for Challenge {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = WireChallenge<'a>;

    fn new(metadata: Metadata<'_>, WireChallenge { spec, status }: WireChallenge<'_>) -> Self {
        let state = status.state.as_deref().unwrap_or_default();
        Self {
            created: metadata.creation_timestamp.map(|moment| moment.0),
            deleted: metadata.deletion_timestamp.map(|moment| moment.0),
            order: controller(&metadata.owner_references, Order::KIND.name),
            class: spec.r#type.unwrap_or_default(),
            name: spec.dns_name.unwrap_or_default(),
            issuer: spec.issuer_ref.into(),
            ended: matches!(state, "valid" | "invalid" | "expired" | "errored"),
            waits: status.waits(),
        }
    }
}

impl ChallengeStatus<'_> {
    /// Reads what it waits for, of which the half is text for people.
    fn waits(&self) -> Waits {
        let reason = self.reason.as_deref().unwrap_or_default();
        let says = |words: &str| reason.contains(words);
        if says("rateLimited") || says("429 ") {
            Waits::Limit
        } else if self.processing != Some(true) && self.state.as_deref().unwrap_or_default() == "" {
            Waits::Turn
        } else if self.presented != Some(true) {
            Waits::Presented
        } else if let Some((_, rest)) = reason.split_once("wrong status code '") {
            let code = rest.split('\'').next().and_then(|code| code.parse().ok());
            code.map_or(Waits::Other, Waits::Status)
        } else if says("not yet propagated") {
            Waits::Record
        } else if says("no such host") {
            Waits::Address
        } else if says("did not get expected response") || says("presented key") {
            Waits::Answer
        } else if says("failed to perform self check") {
            Waits::Silence
        } else {
            Waits::Other
        }
    }
}

#[cfg(test)]
mod tests;
