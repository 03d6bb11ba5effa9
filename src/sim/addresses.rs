//! The addresses of a simulated cluster: 65,536 of 127.0.0.0/8, which no other one has.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;

use ipnet::Ipv4Net;

/// The port whose listener says that a range is taken.
const CLAIM: u16 = 20349;

/// The ports of a cluster; none needs a privilege, and none is one that others use on all
/// addresses, as the well-known ones are.
pub(crate) mod port {
    pub(crate) const KUBELET: u16 = 20250;
    pub(crate) const DNS: u16 = 20053;
    pub(crate) const API: u16 = 20443;
    pub(crate) const AGENT: u16 = 20350;
    pub(crate) const HOST_AGENT: u16 = 20351;
    pub(crate) const SHOP: u16 = 20080;
}

/// A range that is this cluster's as long as it lives.
#[derive(Debug)]
pub(super) struct Addresses {
    second: u8,
    /// Absent where nothing listens: a world that is only looked at.
    _claim: Option<TcpListener>,
}

impl Addresses {
    /// The ranges that there are, by their second number; below are the ones that people use.
    pub(super) const ALL: RangeInclusive<u8> = 20..=250;

    /// Takes the range of that number.
    ///
    /// # Errors
    ///
    /// Fails as `AddrInUse` when another cluster has it, and otherwise when this machine has
    /// only one loopback address.
    pub(super) fn claim(second: u8) -> io::Result<Self> {
        match TcpListener::bind((Ipv4Addr::new(127, second, 255, 254), CLAIM)) {
            Ok(claim) => Ok(Self { second, _claim: Some(claim) }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            Err(error) => Err(io::Error::other(format!(
                "cannot use the addresses 127.{second}.0.0/16: {error}; run on Linux, where the \
                 whole of 127.0.0.0/8 is this machine"
            ))),
        }
    }

    #[cfg(test)]
    pub(super) fn unclaimed() -> Self {
        Self { second: 20, _claim: None }
    }

    /// Returns the API server's own address.
    pub(super) fn api(&self) -> Ipv4Addr {
        self.at(0, 100)
    }

    /// Returns a node's address; the first node is 1.
    pub(super) fn node(&self, node: u8) -> Ipv4Addr {
        self.at(0, node)
    }

    /// Returns the address of a pod on a node, as host-local hands them out: 2 is the first.
    pub(super) fn pod(&self, node: u8, last: u8) -> Ipv4Addr {
        self.at(node, last)
    }

    /// Returns the range of a node's pods.
    pub(super) fn pods(&self, node: u8, prefix: u8) -> Ipv4Net {
        let all = Ipv4Net::new_assert(self.at(node, 0), 24);
        Ipv4Net::new(all.network(), prefix.clamp(24, 30)).unwrap_or(all)
    }

    /// Returns the address of a Service.
    pub(super) fn service(&self, last: u8) -> Ipv4Addr {
        self.at(100, last)
    }

    fn at(&self, third: u8, fourth: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, third, fourth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_never_share_a_range() {
        let mut claims = Addresses::ALL.filter_map(|second| Addresses::claim(second).ok());
        let (one, other) = (claims.next().unwrap(), claims.next().unwrap());
        assert_ne!(one.pod(1, 2), other.pod(1, 2));
        let taken = Addresses::claim(one.second).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(Addresses::unclaimed().pods(2, 28).to_string(), "127.20.2.0/28");
    }
}
