use std::time::Duration;

use super::*;
use crate::model::Protocol;
use crate::watch::object::tests::{absent, read};

#[test]
fn every_field_may_be_absent_or_null() {
    let empty = absent::<Service>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "labels": {},
                "deletionTimestamp": "2026-07-01T12:00:00Z", "finalizers": ["a"] },
            "spec": { "type": "LoadBalancer", "selector": {}, "clusterIP": "None",
                "clusterIPs": ["None"], "ipFamilies": ["IPv4"],
                "ports": [{ "name": "a", "port": 1, "protocol": "TCP", "targetPort": 1 }],
                "publishNotReadyAddresses": true, "loadBalancerClass": "a",
                "externalTrafficPolicy": "Local" },
            "status": {
                "loadBalancer": { "ingress": [{ "ip": "a", "hostname": "b", "ports": [
                    { "port": 1, "protocol": "TCP", "error": "c" }] }] },
                "conditions": [{ "type": "a", "status": "False", "reason": "b" }]
            }
        }"#,
    );
    assert_eq!(empty, Service { routed: true, ..Service::default() });
}

#[test]
fn a_service_has_its_selector_its_addresses_and_its_ports() {
    let service: Service = read(
        r#"{
            "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z" },
            "spec": { "type": "ClusterIP", "selector": { "app": "cart" }, "healthCheckNodePort": 0,
                "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
                "ipFamilies": ["IPv4", "IPv6"], "publishNotReadyAddresses": true,
                "ports": [
                    { "name": "web", "port": 80, "protocol": "TCP", "targetPort": "http",
                        "nodePort": 30080 },
                    { "name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353 },
                    { "port": 9 },
                    { "name": "no port" }
                ] }
        }"#,
    );
    let port = |name: &str, port, protocol, target| ServicePort {
        name: name.into(),
        port,
        protocol,
        target,
    };
    let expected = Service {
        created: Some(Duration::from_secs(86_400)),
        selector: [("app", "cart")].into(),
        external_name: false,
        routed: true,
        addresses: vec!["10.96.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
        headless: false,
        ports: vec![
            port("web", 80, Protocol::Tcp, TargetPort::Name("http".into())),
            port("dns", 53, Protocol::Udp, TargetPort::Number(5353)),
            port("", 9, Protocol::Tcp, TargetPort::Number(9)),
        ],
        node_ports: [30080].into(),
        families: vec![IpFamily::V4, IpFamily::V6],
        publishes_not_ready: true,
        load_balancer: None,
    };
    assert_eq!(service, expected);
}

fn balancer(json: &str) -> Option<LoadBalancer> {
    read::<Service>(json).load_balancer.map(|it| *it)
}

#[test]
fn a_load_balancer_has_its_class_its_address_and_what_is_said_of_it() {
    let found = balancer(
        r#"{
            "metadata": { "uid": "u1", "finalizers": ["other", "service.k8s.aws/resources"] },
            "spec": { "type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb",
                "externalTrafficPolicy": "Local" },
            "status": { "loadBalancer": { "ingress": [{ "hostname": "a.example.com" }] } }
        }"#,
    );
    let expected = LoadBalancer {
        uid: "u1".into(),
        class: Some("service.k8s.aws/nlb".into()),
        has_address: true,
        addresses: [Name::from("a.example.com")].into(),
        is_local: true,
        finalizer: Some("service.k8s.aws/resources".into()),
        ..LoadBalancer::default()
    };
    assert_eq!(found, Some(expected));
    assert_eq!(balancer(r#"{ "spec": { "type": "LoadBalancer" } }"#), Some(<_>::default()));
    for other in ["ClusterIP", "NodePort", "ExternalName"] {
        assert_eq!(balancer(&format!(r#"{{ "spec": {{ "type": "{other}" }} }}"#)), None);
    }
}

#[test]
fn one_that_is_to_be_taken_away_is_one_whatever_the_type_is_by_now() {
    for (metadata, is_one) in [
        (r#""deletionTimestamp": "1970-01-02T00:00:00Z""#, false),
        (r#""finalizers": ["service.kubernetes.io/load-balancer-cleanup"]"#, false),
        (
            r#""deletionTimestamp": "1970-01-02T00:00:00Z",
                "finalizers": ["service.kubernetes.io/load-balancer-cleanup"]"#,
            true,
        ),
        (
            r#""deletionTimestamp": "1970-01-02T00:00:00Z",
                "finalizers": ["other", "gke.networking.io/l4-ilb-v2"]"#,
            true,
        ),
        (
            r#""deletionTimestamp": "1970-01-02T00:00:00Z", "finalizers": ["gke.networking.io"]"#,
            false,
        ),
    ] {
        let found = balancer(&format!(r#"{{ "metadata": {{ {metadata} }} }}"#));
        let deleted = found.and_then(|it| it.deleted);
        assert_eq!(deleted, is_one.then(|| Duration::from_secs(86_400)), "{metadata}");
    }
}

#[test]
fn what_is_wrong_with_a_load_balancer_is_told_by_its_ports_and_conditions() {
    for (status, port_error, refusal) in [
        (r#""loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] }"#, None, None),
        (
            r#""loadBalancer": { "ingress": [{ "ip": "192.0.2.1", "ports": [
                { "port": 80, "protocol": "TCP", "error": null },
                { "port": 53, "protocol": "UDP", "error": "LoadBalancerMixedProtocol" }] }] }"#,
            Some("53/udp: LoadBalancerMixedProtocol"),
            None,
        ),
        (
            r#""conditions": [{ "type": "LoadBalancerPortsError", "status": "True",
                "reason": "LoadBalancerMixedProtocolNotSupported" }]"#,
            Some("LoadBalancerMixedProtocolNotSupported"),
            None,
        ),
        (r#""conditions": [{ "type": "LoadBalancerPortsError", "status": "False" }]"#, None, None),
        (
            r#""conditions": [{ "type": "cilium.io/IPAMRequestSatisfied", "status": "False",
                "reason": "no_pool" }]"#,
            None,
            Some("no_pool"),
        ),
    ] {
        let found = balancer(&format!(
            r#"{{ "spec": {{ "type": "LoadBalancer" }}, "status": {{ {status} }} }}"#
        ));
        let found = found.unwrap();
        assert_eq!(found.port_error, port_error.map(Name::from), "{status}");
        assert_eq!(found.refusal, refusal.map(Name::from), "{status}");
        assert_eq!(found.has_conditions, refusal.is_some(), "{status}");
        let address = status.contains("192.0.2.1").then_some("192.0.2.1");
        assert!(found.addresses.iter().map(|it| &**it).eq(address), "{status}");
    }
}

#[test]
fn a_headless_service_has_no_address_and_an_old_one_only_its_first() {
    for (spec, headless, addresses) in [
        (r#"{ "clusterIP": "None", "clusterIPs": ["None"] }"#, true, 0),
        (r#"{ "clusterIP": "None" }"#, true, 0),
        (r#"{ "clusterIP": "10.96.0.7" }"#, false, 1),
        (r#"{ "clusterIP": "" }"#, false, 0),
    ] {
        let service: Service = read(&format!(r#"{{ "spec": {spec} }}"#));
        assert_eq!((service.headless, service.addresses.len()), (headless, addresses), "{spec}");
    }
}

#[test]
fn an_external_name_and_another_proxys_service_are_not_routed() {
    for json in [
        r#"{ "spec": { "type": "ExternalName" } }"#,
        r#"{ "metadata": { "labels": { "service.kubernetes.io/service-proxy-name": "x" } } }"#,
    ] {
        assert!(!read::<Service>(json).routed, "{json}");
    }
}
