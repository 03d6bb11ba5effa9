use std::time::Duration;

use super::*;
use crate::watch::object::tests::{absent, read};

#[test]
fn every_field_may_be_absent_or_null() {
    let class = absent::<GatewayClass>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z" },
            "spec": { "controllerName": "a" },
            "status": { "conditions": [{ "type": "Accepted", "status": "True", "reason": "a",
                "lastTransitionTime": "2026-07-01T12:00:00Z" }] }
        }"#,
    );
    assert_eq!(class, GatewayClass::default());
    let gateway = absent::<Gateway>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "generation": 2,
                "deletionTimestamp": "2026-07-01T12:00:00Z" },
            "spec": { "gatewayClassName": "a", "listeners": [{ "name": "http" }] },
            "status": {
                "conditions": [{ "type": "Accepted", "status": "True", "observedGeneration": 1 }],
                "listeners": [{ "name": "http", "conditions": [
                    { "type": "Accepted", "status": "False", "reason": "a" }] }] }
        }"#,
    );
    assert_eq!(gateway, Gateway::default());
    let route = r#"{
        "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "generation": 2,
            "deletionTimestamp": "2026-07-01T12:00:00Z" },
        "spec": { "parentRefs": [{ "group": "a", "kind": "b", "namespace": "c", "name": "d",
            "sectionName": "e", "port": 80 }] },
        "status": { "parents": [{ "parentRef": { "group": "a", "kind": "b", "namespace": "c",
            "name": "d", "sectionName": "e", "port": 80 }, "controllerName": "f", "conditions": [
            { "type": "Accepted", "status": "False", "observedGeneration": 1, "reason": "a" }] }] }
    }"#;
    assert_eq!(absent::<HttpRoute>(route), HttpRoute::default());
    assert_eq!(absent::<GrpcRoute>(route), GrpcRoute::default());
}

#[test]
fn a_gateway_has_its_conditions_and_the_first_fault_of_each_listener() {
    let gateway: Gateway = read(
        r#"{
            "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z", "generation": 3 },
            "spec": { "gatewayClassName": "eg", "listeners": [
                { "name": "http" }, { "name": "https" }, { "name": "tls" }] },
            "status": {
                "conditions": [
                    { "type": "Accepted", "status": "True", "reason": "Accepted",
                        "observedGeneration": 3, "lastTransitionTime": "1970-01-02T00:00:00Z" },
                    { "type": "Programmed", "status": "False", "reason": "AddressNotAssigned",
                        "observedGeneration": 2, "lastTransitionTime": "1970-01-02T00:00:00Z" }],
                "listeners": [
                    { "name": "http", "conditions": [
                        { "type": "Conflicted", "status": "False", "reason": "NoConflicts" },
                        { "type": "Programmed", "status": "True", "reason": "Programmed" }] },
                    { "name": "https", "conditions": [
                        { "type": "Programmed", "status": "False", "reason": "Invalid" },
                        { "type": "ResolvedRefs", "status": "False",
                            "reason": "InvalidCertificateRef" }] },
                    { "name": "tls", "conditions": [
                        { "type": "Conflicted", "status": "True", "reason": "HostnameConflict" }] }]
            }
        }"#,
    );
    let since = Some(Duration::from_secs(86_400));
    let fault = |listener: &str, condition, reason: &str| Fault {
        listener: listener.into(),
        condition,
        reason: reason.into(),
    };
    let expected = Gateway {
        created: since,
        terminating: false,
        class: "eg".into(),
        unseen: true,
        accepted: Some(Says { status: Status::True, reason: "Accepted".into(), since }),
        programmed: Some(Says {
            status: Status::False,
            reason: "AddressNotAssigned".into(),
            since,
        }),
        listeners: 3,
        faults: [
            fault("https", "ResolvedRefs", "InvalidCertificateRef"),
            fault("tls", "Conflicted", "HostnameConflict"),
        ]
        .into(),
    };
    assert_eq!(gateway, expected);
    // As the API server makes it.
    let new: Gateway = read(
        r#"{ "metadata": { "generation": 1 }, "status": { "conditions": [
            { "type": "Accepted", "status": "Unknown", "reason": "Pending", "observedGeneration": 0 }
        ] } }"#,
    );
    assert!(!new.unseen);
}

#[test]
fn a_route_has_what_is_said_of_each_parent_that_it_asks_for() {
    let route: HttpRoute = read(
        r#"{
            "metadata": { "namespace": "shop", "generation": 2 },
            "spec": { "parentRefs": [
                { "name": "web" },
                { "name": "web", "sectionName": "https", "namespace": "infra" },
                { "name": "other", "namespace": "infra" },
                { "name": "cart", "kind": "Service", "group": "" }] },
            "status": { "parents": [
                { "parentRef": { "name": "web", "kind": "Gateway", "namespace": "shop",
                    "group": "gateway.networking.k8s.io" }, "conditions": [
                    { "type": "Accepted", "status": "True", "reason": "Accepted",
                        "observedGeneration": 1 },
                    { "type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound" }] },
                { "parentRef": { "name": "web", "sectionName": "https", "namespace": "infra" },
                    "conditions": [{ "type": "Accepted", "status": "False",
                        "reason": "NotAllowedByListeners", "observedGeneration": 2 }] },
                { "parentRef": { "name": "other", "namespace": "infra" }, "conditions": [] },
                { "parentRef": { "name": "gone" }, "conditions": [
                    { "type": "Accepted", "status": "False", "reason": "NoMatchingParent" }] }] }
        }"#,
    );
    let parent = |namespace: &str, name: &str| Parent {
        gateway: Some(Key::new(namespace, name)),
        ..Parent::default()
    };
    let expected = [
        Parent {
            answered: true,
            unseen: true,
            unresolved: Some("BackendNotFound".into()),
            ..parent("", "web")
        },
        Parent {
            answered: true,
            refused: Some("NotAllowedByListeners".into()),
            ..parent("infra", "web")
        },
        parent("infra", "other"),
        Parent::default(),
    ];
    assert_eq!(*route.0.parents, expected);
    let grpc: GrpcRoute = read(r#"{ "spec": { "parentRefs": [{ "name": "web" }] } }"#);
    assert_eq!(*grpc.0.parents, [parent("", "web")]);
}
