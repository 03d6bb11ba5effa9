//! What is published of versions of CNIs: with which Kubernetes they are tested, and when they end.
//!
//! A table of what was true on a day. Vendors add to their pages after a release, and say that what is
//! not listed may work: so it is `untested`, and never that it does not work. A version that is in no
//! row is `unknown`, and so is one that a vendor builds and looks after by a calendar of its own.

use std::ops::RangeInclusive;

use super::Version;

/// What is published of a version with a node's Kubernetes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Support {
    Tested,
    Untested,
    Eol,
    Unknown,
}

/// With which Kubernetes a version is tested, by its minor number.
#[derive(Debug)]
pub(super) struct Tested {
    cni: &'static str,
    version: (u16, u16),
    pub(super) kubernetes: RangeInclusive<u16>,
    pub(super) source: &'static str,
    pub(super) as_of: &'static str,
}

/// Which versions nobody looks after any more.
#[derive(Debug)]
pub(super) struct Ended {
    cni: &'static str,
    /// The first that is not among them.
    before: (u16, u16),
    pub(super) why: &'static str,
    pub(super) source: &'static str,
    pub(super) as_of: &'static str,
}

const CALICO: &str = "https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements";
const CILIUM: &str = "https://docs.cilium.io/en/stable/network/kubernetes/compatibility/";

/// Of Calico 3.29 to 3.32 the pages of each version; of 3.33 what others say of its page.
static TESTED: &[Tested] = &[
    row("calico", (3, 29), 29..=32, CALICO, "October 2026"),
    row("calico", (3, 30), 31..=35, CALICO, "October 2026"),
    row("calico", (3, 31), 32..=35, CALICO, "October 2026"),
    row("calico", (3, 32), 34..=36, CALICO, "October 2026"),
    row("calico", (3, 33), 35..=37, CALICO, "October 2026"),
    row("cilium", (1, 18), 30..=33, CILIUM, "October 2026"),
    row("cilium", (1, 19), 31..=34, CILIUM, "October 2026"),
];

/// Calico and the clouds' own publish no end.
static ENDED: &[Ended] = &[
    Ended {
        cni: "cilium",
        before: (1, 18),
        why: "the maintained ones are 1.18 to 1.20",
        source: "https://github.com/cilium/cilium#stable-releases",
        as_of: "October 2026",
    },
    // No policy is published; 0.15.1 is of November 2021.
    Ended {
        cni: "flannel",
        before: (0, 16),
        why: "it is of 2021, made with Go 1.16 and a client of Kubernetes 1.19, which get no repairs",
        source: "https://github.com/flannel-io/flannel/releases",
        as_of: "October 2026",
    },
    Ended {
        cni: "weave",
        before: (2, 9),
        why: "its project was given up in 2022",
        source: "https://github.com/rajch/weave",
        as_of: "October 2026",
    },
];

/// Primaries that work together: one gives pods their network, the other judges or carries traffic.
/// Cilium onto others, Calico and Antrea for policies alone, kube-router for BGP or policies, Canal in
/// two parts.
const TOGETHER: &[(&str, &str)] = &[
    ("antrea", "aws-vpc-cni"),
    ("antrea", "azure"),
    ("antrea", "gke"),
    ("calico", "aws-vpc-cni"),
    ("calico", "azure"),
    ("calico", "flannel"),
    ("calico", "gke"),
    ("cilium", "aws-vpc-cni"),
    ("cilium", "azure"),
    ("cilium", "flannel"),
    ("cilium", "gke"),
    ("cilium", "kube-ovn"),
    ("kube-router", "aws-vpc-cni"),
    ("kube-router", "cilium"),
    ("kube-router", "flannel"),
];

const fn row(
    cni: &'static str,
    version: (u16, u16),
    kubernetes: RangeInclusive<u16>,
    source: &'static str,
    as_of: &'static str,
) -> Tested {
    Tested { cni, version, kubernetes, source, as_of }
}

impl Support {
    pub(super) fn of(cni: &str, version: Option<Version>, kubelet: Option<(u16, u16)>) -> Self {
        let Some(version) = version else { return Self::Unknown };
        if ended(cni, version).is_some() {
            return Self::Eol;
        }
        match (tested(cni, version), kubelet) {
            (Some(row), Some((1, minor))) if row.kubernetes.contains(&minor) => Self::Tested,
            (Some(_), Some(_)) => Self::Untested,
            _ => Self::Unknown,
        }
    }

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Tested => "tested",
            Self::Untested => "untested",
            Self::Eol => "eol",
            Self::Unknown => "unknown",
        }
    }
}

/// Returns with which Kubernetes a version is tested, where that is known. The agent of Canal is
/// Calico's.
pub(super) fn tested(cni: &str, version: Version) -> Option<&'static Tested> {
    let cni = if cni == "canal" { "calico" } else { cni };
    let is = |row: &&Tested| row.cni == cni && row.version == (version.major, version.minor);
    TESTED.iter().find(is).filter(|_| !version.is_vendors)
}

/// Returns why nobody looks after a version any more, where that is known.
pub(super) fn ended(cni: &str, version: Version) -> Option<&'static Ended> {
    let is = |row: &&Ended| row.cni == cni && (version.major, version.minor) < row.before;
    ENDED.iter().find(is).filter(|_| !version.is_vendors)
}

/// Whether upstream's manifest of a version has a PodSecurityPolicy, which Kubernetes 1.25 and later
/// refuse: that of flannel had one until 0.19.0.
pub(super) fn is_of_old_manifest(cni: &str, version: Version, kubernetes: u16) -> bool {
    let is_old = cni == "flannel" && (version.major, version.minor) < (0, 19);
    is_old && !version.is_vendors && kubernetes >= 25
}

/// Whether two primaries are known to work together on one node.
pub(super) fn together(one: &str, other: &str) -> bool {
    TOGETHER.contains(&(one, other)) || TOGETHER.contains(&(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_tested_untested_at_its_end_or_not_known() {
        use Support::{Eol, Tested, Unknown, Untested};
        for (cni, version, kubelet, support) in [
            ("calico", "v3.32.1", Some((1, 35)), Tested),
            ("canal", "v3.32.1", Some((1, 35)), Tested),
            ("calico", "v3.32.1", Some((1, 33)), Untested),
            ("calico", "v3.32.1", Some((1, 38)), Untested),
            ("calico", "v3.32.1", None, Unknown),
            // Neither an old one nor one of tomorrow is judged.
            ("calico", "v3.20.0", Some((1, 25)), Unknown),
            ("calico", "v3.40.0", Some((1, 40)), Unknown),
            ("calico", "v3.29.0-build20241113", Some((1, 35)), Unknown),
            ("cilium", "v1.17.9", Some((1, 32)), Eol),
            ("cilium", "v1.15.6-gke.21", Some((1, 30)), Unknown),
            ("cilium", "v1.18.1", Some((1, 33)), Tested),
            ("flannel", "v0.15.1", None, Eol),
            ("flannel", "v0.26.7", Some((1, 34)), Unknown),
            ("weave", "2.8.1", Some((1, 30)), Eol),
            ("weave", "2.9.0", Some((1, 30)), Unknown),
            ("aws-vpc-cni", "v1.20.4", Some((1, 33)), Unknown),
        ] {
            assert_eq!(Support::of(cni, Version::of(version), kubelet), support, "{cni} {version}");
        }
    }

    #[test]
    fn every_row_has_its_source_and_its_date_and_none_is_of_what_has_ended() {
        for Tested { cni, version, kubernetes, source, as_of } in TESTED {
            let ended = ENDED.iter().any(|it| it.cni == *cni && *version < it.before);
            assert!(!ended && !kubernetes.is_empty(), "{cni} {version:?}");
            assert!(source.starts_with("https://") && as_of.contains(" 20"), "{cni} {version:?}");
        }
        for Ended { cni, source, as_of, .. } in ENDED {
            assert!(source.starts_with("https://") && as_of.contains(" 20"), "{cni}");
        }
    }
}
