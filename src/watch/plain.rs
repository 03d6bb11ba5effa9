//! Kinds whose facts are read as they stand.

use super::object::Plain;
use crate::model::{
    CiliumBalancerPool, CiliumNode, IpAddressPool, IpPool, IpamBlock, PolicyEndpoint, ServiceCidr,
};

impl Plain for CiliumBalancerPool {}
impl Plain for CiliumNode {}
impl Plain for IpAddressPool {}
impl Plain for IpPool {}
impl Plain for IpamBlock {}
impl Plain for PolicyEndpoint {}
impl Plain for ServiceCidr {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Handed;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let cidr = r#"{ "metadata": { "name": "a" }, "spec": { "cidrs": ["10.96.0.0/12"] },
            "status": { "conditions": [{ "type": "Ready", "status": "False" }] } }"#;
        assert_eq!(absent::<ServiceCidr>(cidr), ServiceCidr::default());
        let pool = r#"{ "metadata": { "name": "a" }, "spec": {
            "cidr": "10.0.0.0/8", "blockSize": 26, "disabled": true,
            "nodeSelector": "a", "namespaceSelector": "b", "assignmentMode": "Manual",
            "allowedUses": ["Tunnel"] } }"#;
        assert_eq!(absent::<IpPool>(pool), IpPool::default());
        let block = r#"{ "metadata": { "name": "a" }, "spec": {
            "cidr": "10.0.0.0/30", "allocations": [0, null], "deleted": true } }"#;
        assert_eq!(absent::<IpamBlock>(block), IpamBlock::default());
        let node = r#"{ "metadata": { "name": "a" }, "spec": { "ipam": {
            "podCIDRs": ["10.0.0.0/24"], "pool": { "10.0.0.1": {} }, "ipv6-pool": { "fd00::1": {} },
            "pools": { "allocated": [{ "pool": "default", "cidrs": ["10.0.0.0/24"] }] } } },
            "status": { "ipam": { "used": { "10.0.0.1": {} }, "ipv6-used": { "fd00::1": {} },
            "operator-status": { "error": "a" } } } }"#;
        assert_eq!(absent::<CiliumNode>(node), CiliumNode::default());
        let pool = r#"{ "metadata": { "name": "a" }, "spec": { "addresses": ["10.0.0.0/30"],
            "autoAssign": false, "avoidBuggyIPs": true, "serviceAllocation": {
            "namespaces": ["a"], "namespaceSelectors": [{}], "serviceSelectors": [{}] } } }"#;
        assert_eq!(absent::<IpAddressPool>(pool), IpAddressPool::default());
        let pool = r#"{ "metadata": { "name": "a" }, "spec": { "disabled": true,
            "serviceSelector": { "matchLabels": { "a": "b" }, "matchExpressions": [{}] },
            "allowFirstLastIPs": "No", "blocks": [], "cidrs": [] },
            "status": { "conditions": [{ "type": "cilium.io/PoolConflict", "status": "True" }] } }"#;
        assert_eq!(absent::<CiliumBalancerPool>(pool), CiliumBalancerPool::default());
    }

    #[test]
    fn a_node_of_ciliums_has_what_its_mode_fills() {
        for (json, expected) in [
            // cluster-pool, as it is found: only health and the like stand in the status.
            (
                r#"{ "spec": { "healthAddressing": { "ipv4": "10.1.0.3" }, "eni": {}, "azure": {},
                    "ipam": { "podCIDRs": ["10.1.0.0/24", "fd00:1::/112"], "pools": {} } },
                    "status": { "ipam": { "operator-status": {} } } }"#,
                CiliumNode {
                    ranges: ["10.1.0.0/24", "fd00:1::/112"].map(|it| it.parse().expect(it)).into(),
                    ..CiliumNode::default()
                },
            ),
            // The third node, where there is room for two.
            (
                r#"{ "spec": { "ipam": { "pools": {} } },
                    "status": { "ipam": { "operator-status": { "error": "allocator full" } } } }"#,
                CiliumNode { is_refused: true, ..CiliumNode::default() },
            ),
            (
                r#"{ "spec": { "ipam": { "pools": {
                    "requested": [{ "pool": "default", "needed": { "ipv4-addrs": 16 } }],
                    "allocated": [{ "pool": "default", "cidrs": ["10.1.0.0/27"] },
                        { "pool": "mars", "cidrs": [] }] } } } }"#,
                CiliumNode {
                    pools: [("default".into(), ["10.1.0.0/27".parse().expect("a range")].into())]
                        .into(),
                    ..CiliumNode::default()
                },
            ),
            (
                r#"{ "spec": { "ipam": { "pre-allocate": 8,
                    "pool": { "10.1.0.1": { "resource": "eni-1" }, "10.1.0.2": {}, "10.1.0.3": {} },
                    "ipv6-pool": { "fd00:1::1": {} } } },
                    "status": { "ipam": { "used": { "10.1.0.1": { "owner": "shop/cart-1" },
                    "10.1.0.2": { "owner": "router" } }, "release-ips": {} } } }"#,
                CiliumNode {
                    v4: Handed { all: 3, used: 2 },
                    v6: Handed { all: 1, used: 0 },
                    ..CiliumNode::default()
                },
            ),
        ] {
            assert_eq!(read::<CiliumNode>(json), expected, "{json}");
        }
    }

    #[test]
    fn they_have_their_ranges() {
        let cidr: ServiceCidr = read(
            r#"{ "spec": { "cidrs": ["10.96.0.0/12", "fd00::/108"] },
                "status": { "conditions": [{ "type": "Ready", "status": "True" }] } }"#,
        );
        assert!(cidr.ranges().map(|it| it.to_string()).eq(["10.96.0.0/12", "fd00::/108"]));
        assert!(cidr.is_open());
        let leaving: ServiceCidr = read(
            r#"{ "status": { "conditions": [
                { "type": "Ready", "status": "False", "reason": "Terminating" }] } }"#,
        );
        assert!(!leaving.is_open());
        for (spec, range, enabled) in [
            (r#""cidr": "10.1.0.0/16", "ipipMode": "Always""#, "10.1.0.0/16 26", true),
            (r#""cidr": "fd00::/48", "disabled": true"#, "fd00::/48 122", false),
            (r#""cidr": "10.1.0.0/16", "blockSize": 24"#, "10.1.0.0/16 24", true),
        ] {
            let pool: IpPool = read(&format!(r#"{{ "spec": {{ {spec} }} }}"#));
            let (of, block) = pool.range().expect("a range");
            assert_eq!((&*format!("{of} {block}"), pool.is_enabled()), (range, enabled));
        }
    }

    #[test]
    fn a_block_has_as_many_addresses_used_as_are_not_free() {
        for (rest, range, used) in [
            (r#""allocations": [0, null, 1, null], "deleted": false"#, Some("10.1.0.0/30"), 2),
            (r#""allocations": [0, 0, 0, 0], "affinity": null"#, Some("10.1.0.0/30"), 4),
            (r#""allocations": [0], "deleted": true"#, None, 1),
            (r#""allocations": [0], "deleted": "true""#, None, 1),
            (r#""allocations": null, "deleted": "false""#, Some("10.1.0.0/30"), 0),
        ] {
            let json = format!(r#"{{ "spec": {{ "cidr": "10.1.0.0/30", {rest} }} }}"#);
            let range = range.map(|it| it.parse().expect(it));
            assert_eq!(read::<IpamBlock>(&json), IpamBlock { range, used }, "{rest}");
        }
    }
}
