use std::time::Duration;

use super::*;
use crate::watch::object::tests::{absent, read};

const NOON: Duration = Duration::from_secs(1_782_907_200);

#[test]
fn every_field_may_be_absent_or_null() {
    let certificate = absent::<Certificate>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "generation": 2,
                "deletionTimestamp": "2026-07-01T12:00:00Z" },
            "spec": { "issuerRef": { "group": "a", "kind": "b", "name": "c" } },
            "status": {
                "conditions": [
                    { "type": "Ready", "status": "True", "reason": "Ready", "message": "a",
                        "lastTransitionTime": "2026-07-01T12:00:00Z", "observedGeneration": 1 },
                    { "type": "Issuing", "status": "True",
                        "lastTransitionTime": "2026-07-01T12:00:00Z" }],
                "notBefore": "2026-07-01T12:00:00Z", "notAfter": "2026-07-01T12:00:00Z",
                "renewalTime": "2026-07-01T12:00:00Z", "failedIssuanceAttempts": 1,
                "lastFailureTime": "2026-07-01T12:00:00Z" }
        }"#,
    );
    assert_eq!(certificate, Certificate::default());
    let request = absent::<CertificateRequest>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "ownerReferences": [
                { "kind": "Certificate", "name": "a", "controller": true }] },
            "spec": { "issuerRef": { "name": "c" } },
            "status": { "conditions": [{ "type": "Approved", "status": "True" }] }
        }"#,
    );
    assert_eq!(request, CertificateRequest::default());
    let conditions = r#"{
        "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z" },
        "status": { "conditions": [{ "type": "Ready", "status": "True", "reason": "a" }] }
    }"#;
    assert_eq!(absent::<Issuer>(conditions), Issuer::default());
    assert_eq!(absent::<ClusterIssuer>(conditions), ClusterIssuer::default());
    let order = absent::<Order>(
        r#"{
            "metadata": { "ownerReferences": [
                { "kind": "CertificateRequest", "name": "a", "controller": true }] },
            "status": { "state": "pending" }
        }"#,
    );
    assert_eq!(order, Order::default());
    let challenge = absent::<Challenge>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z",
                "deletionTimestamp": "2026-07-01T12:00:00Z", "ownerReferences": [
                { "kind": "Order", "name": "a", "controller": true }] },
            "spec": { "type": "HTTP-01", "dnsName": "a", "issuerRef": { "name": "c" } },
            "status": { "processing": true, "presented": true, "reason": "a", "state": "pending" }
        }"#,
    );
    assert_eq!(challenge, Challenge { waits: Waits::Turn, ..Challenge::default() });
}

#[test]
fn a_certificate_has_its_issuer_its_times_and_its_failures() {
    let certificate: Certificate = read(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "generation": 3 },
            "spec": { "secretName": "web", "dnsNames": ["shop.example.com"],
                "issuerRef": { "group": "cert-manager.io", "kind": "ClusterIssuer", "name": "acme" } },
            "status": {
                "conditions": [
                    { "type": "Issuing", "status": "True", "reason": "Renewing",
                        "lastTransitionTime": "2026-07-01T12:00:03Z" },
                    { "type": "Ready", "status": "True", "reason": "Ready", "observedGeneration": 2,
                        "lastTransitionTime": "2026-07-01T12:00:01Z" }],
                "notBefore": "2026-07-01T12:00:00Z", "notAfter": "2026-07-01T12:00:09Z",
                "renewalTime": "2026-07-01T12:00:06Z", "failedIssuanceAttempts": 2,
                "lastFailureTime": "2026-07-01T12:00:02Z", "revision": 4 }
        }"#,
    );
    let at = |seconds| Some(NOON + Duration::from_secs(seconds));
    let expected = Certificate {
        created: at(0),
        terminating: false,
        issuer: IssuerRef {
            group: "cert-manager.io".into(),
            kind: "ClusterIssuer".into(),
            name: "acme".into(),
        },
        ready: Some(Says { status: Status::True, reason: "Ready".into(), since: at(1) }),
        unseen: true,
        issuing: at(3),
        not_before: at(0),
        not_after: at(9),
        renewal: at(6),
        failures: 2,
        failed: at(2),
    };
    assert!(expected.issuer.is_own() && expected.issuer.is_of_cluster());
    assert_eq!(certificate, expected);
    let failed: Certificate = read(
        r#"{ "metadata": { "generation": 2 }, "status": { "conditions": [
            { "type": "Issuing", "status": "False", "reason": "Failed",
                "lastTransitionTime": "2026-07-01T12:00:03Z" },
            { "type": "Ready", "status": "False", "observedGeneration": 2 }] } }"#,
    );
    assert_eq!((failed.issuing, failed.unseen), (None, false));
}

#[test]
fn an_issuer_of_another_program_is_not_cert_managers_own() {
    let of = |group: &str, kind: &str| {
        IssuerRef { group: group.into(), kind: kind.into(), name: "a".into() }.is_own()
    };
    assert!(of("", "") && of("", "Issuer") && of("cert-manager.io", "ClusterIssuer"));
    assert!(!of("awspca.cert-manager.io", "AWSPCAClusterIssuer"));
    assert!(!of("cert-manager.io", "Other") && !of("other.io", "Issuer"));
}

#[test]
fn a_request_is_as_far_as_its_conditions_say() {
    let stage = |conditions: &str| {
        let request: CertificateRequest =
            read(&format!(r#"{{ "status": {{ "conditions": [{conditions}] }} }}"#));
        request.stage
    };
    let approved = r#"{ "type": "Approved", "status": "True", "reason": "cert-manager.io" }"#;
    let ready = |status: &str, reason: &str| {
        format!(r#"{{ "type": "Ready", "status": "{status}", "reason": "{reason}" }}"#)
    };
    assert_eq!(stage(""), Stage::Unapproved);
    assert_eq!(stage(&ready("False", "Pending")), Stage::Unapproved);
    assert_eq!(stage(approved), Stage::Pending);
    assert_eq!(stage(&format!("{approved}, {}", ready("False", "Pending"))), Stage::Pending);
    assert_eq!(stage(&format!("{approved}, {}", ready("False", "Failed"))), Stage::Failed);
    assert_eq!(stage(&format!("{approved}, {}", ready("True", "Issued"))), Stage::Issued);
    // What is not looked at any more has no approval in older versions.
    assert_eq!(stage(&ready("True", "Issued")), Stage::Issued);
    assert_eq!(stage(r#"{ "type": "Denied", "status": "True" }"#), Stage::Denied);
    assert_eq!(stage(r#"{ "type": "InvalidRequest", "status": "True" }"#), Stage::Failed);
}

#[test]
fn requests_orders_and_challenges_know_whose_they_are() {
    let owner = |kind: &str| {
        format!(
            r#"{{ "metadata": {{ "ownerReferences": [{{ "kind": "Other", "name": "b" }},
                {{ "kind": "{kind}", "name": "a", "controller": true }}] }} }}"#
        )
    };
    let a = Some("a");
    let request: CertificateRequest = read(&owner("Certificate"));
    assert_eq!(request.certificate.as_deref(), a);
    assert_eq!(read::<CertificateRequest>(&owner("IstioCSR")).certificate, None);
    assert_eq!(read::<Order>(&owner("CertificateRequest")).request.as_deref(), a);
    assert_eq!(read::<Challenge>(&owner("Order")).order.as_deref(), a);
}

#[test]
fn a_challenge_waits_for_what_its_reason_says() {
    let waits = |rest: &str, reason: &str| {
        let status = format!(r#"{{ {rest}, "reason": "{reason}" }}"#);
        let challenge: Challenge = read(&format!(r#"{{ "status": {status} }}"#));
        challenge.waits
    };
    let queued = r#""processing": false"#;
    let begun = r#""processing": true, "presented": false"#;
    let presented = r#""processing": true, "presented": true, "state": "pending""#;
    for (status, reason, expected) in [
        (queued, "", Waits::Turn),
        (begun, "Found no Zones for domain _acme-challenge.example.com.", Waits::Presented),
        (begun, "429 urn:ietf:params:acme:error:rateLimited: too many", Waits::Limit),
        (presented, "wrong status code '404', expected '200'", Waits::Status(404)),
        (presented, "wrong status code 'odd', expected '200'", Waits::Other),
        (presented, "DNS record for \\\"example.com\\\" not yet propagated", Waits::Record),
        (
            presented,
            "failed to perform self check GET request: lookup a: no such host",
            Waits::Address,
        ),
        (presented, "failed to perform self check GET request: EOF", Waits::Silence),
        (presented, "did not get expected response when querying endpoint", Waits::Answer),
        (presented, "", Waits::Other),
    ] {
        assert_eq!(waits(status, reason), expected, "{status} {reason}");
    }
    let ended = |state: &str| {
        let json = format!(r#"{{ "status": {{ "processing": false, "state": "{state}" }} }}"#);
        read::<Challenge>(&json).ended
    };
    assert!(["valid", "invalid", "expired", "errored"].into_iter().all(ended));
    assert!(!["pending", "processing", "ready", ""].into_iter().any(ended));
}
