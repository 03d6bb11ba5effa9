//! Which addresses an agent may be sent to: a plan is made of objects that tenants may write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is never probed in a cluster, embedded IPv4 addresses unwrapped first.
const DENIED: [IpNet; 15] = [
    // "This network" and the unspecified address: Linux connects both to itself.
    v4([0, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    // Link-local, and with it the metadata services of most clouds.
    v4([169, 254, 0, 0], 16),
    v4([224, 0, 0, 0], 4),
    v4([255, 255, 255, 255], 32),
    // Metadata and wire services outside of link-local: Alibaba, Azure, Oracle.
    v4([100, 100, 100, 200], 32),
    v4([168, 63, 129, 16], 32),
    v4([192, 0, 0, 192], 32),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    // AWS: metadata, and the credentials of pods.
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128),
    // The metadata service of Google Cloud.
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length))
}

/// A rule for addresses; there is no flag for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allowed {
    loopback: bool,
}

impl Allowed {
    /// Returns the rule for clusters.
    pub const fn cluster() -> Self {
        Self { loopback: false }
    }

    /// Returns the rule for tests and the demo, whose pods are loopback addresses.
    pub const fn loopback() -> Self {
        Self { loopback: true }
    }

    /// Tells whether `target` may be probed.
    ///
    /// Port 53 of one of `nameservers` may always be: a cache on the node has a link-local
    /// address, and everything on the node asks it anyway.
    pub fn allows(self, target: SocketAddr, nameservers: impl IntoIterator<Item = IpAddr>) -> bool {
        let address = unwrapped(target.ip());
        if target.port() == 53 && nameservers.into_iter().any(|it| unwrapped(it) == address) {
            return true;
        }
        if self.loopback && address.is_loopback() {
            return true;
        }
        !DENIED.iter().any(|net| net.contains(&address))
    }
}

/// Returns the address that packets reach in the end: mapped, translated (NAT64) and tunnelled
/// (6to4) forms carry an IPv4 address that would slip through the list.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, .., g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d) {
        (0x0064, 0xff9b, ..) => v4(g, h),
        (0x2002, ..) => v4(b, c),
        // Compatible addresses are long gone; `::` and `::1` are not among them.
        (0, 0, 0, 0) if v6.segments()[4..6] == [0, 0] && g != 0 => v4(g, h),
        _ => address.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: Allowed, target: &str) -> bool {
        rule.allows(target.parse().unwrap(), ["169.254.20.10".parse().unwrap()])
    }

    #[test]
    fn what_a_pod_must_not_be_sent_to_is_refused_in_every_disguise() {
        for target in [
            "127.0.0.1:10250",
            "0.0.0.0:80",
            "169.254.169.254:80",
            "224.0.0.1:53",
            "255.255.255.255:9",
            "100.100.100.200:80",
            "168.63.129.16:80",
            "192.0.0.192:80",
            "[::]:80",
            "[::1]:80",
            "[fe80::1]:80",
            "[ff02::1]:80",
            "[fd00:ec2::254]:80",
            "[fd00:ec2::23]:80",
            "[fd20:ce::254]:80",
            "[::ffff:169.254.169.254]:80",
            "[::127.0.0.1]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "[2002:7f00:1::]:80",
            "169.254.20.10:80",
            "169.254.20.11:53",
        ] {
            assert!(!allows(Allowed::cluster(), target), "{target}");
        }
    }

    #[test]
    fn pods_nodes_services_and_the_nameserver_are_allowed() {
        for target in [
            "10.244.1.2:12350",
            "172.16.0.1:10250",
            "100.64.3.4:80",
            "240.1.2.3:80",
            "[fd24::1]:53",
            "[2001:db8::1]:443",
            "[::ffff:10.1.2.3]:443",
            "169.254.20.10:53",
            "[::ffff:169.254.20.10]:53",
        ] {
            assert!(allows(Allowed::cluster(), target), "{target}");
        }
    }

    #[test]
    fn the_demo_may_reach_loopback_and_nothing_else_that_is_denied() {
        assert!(allows(Allowed::loopback(), "127.1.2.3:80"));
        assert!(allows(Allowed::loopback(), "[::1]:80"));
        assert!(!allows(Allowed::loopback(), "169.254.169.254:80"));
    }
}
