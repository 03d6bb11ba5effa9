//! The version of a CNI, as the tag of its image or a label has it.

use std::fmt;

/// What a registry or a path says of an image that its vendor builds, and looks after by a calendar
/// of its own: AKS, GKE, EKS, Red Hat, RKE2.
const VENDORS: &[&str] = &[
    "mcr.microsoft.com/",
    "gke.gcr.io/",
    "/gke-release/",
    ".amazonaws.com/eks/",
    "registry.redhat.io/",
    "/hardened-",
];

/// What may stand behind the numbers of upstream's own tags.
const OWN: &[&str] = &["amd64", "arm64", "arm", "ppc64le", "s390x", "hostprocess"];

/// Two or three numbers; two builds of one version are the same.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Version {
    pub(super) major: u16,
    pub(super) minor: u16,
    patch: Option<u16>,
    /// It is not upstream's own, as far as it tells.
    pub(super) is_vendors: bool,
}

impl Version {
    /// Returns it without what is known of who built it.
    pub(super) fn numbers(self) -> Self {
        Self { is_vendors: false, ..self }
    }

    /// Reads the tag of an image; of one that has none but a digest nothing is known.
    pub(super) fn of_image(image: &str) -> Option<Self> {
        let (_, tag) = image.split('@').next()?.rsplit_once(':')?;
        let is_vendors = VENDORS.iter().any(|it| image.contains(it));
        let version = Self::of(tag)?;
        Some(Self { is_vendors: version.is_vendors || is_vendors, ..version })
    }

    /// Reads a version: `v1.20.0-eksbuild.1` is 1.20.0, and `latest` or `20250512` is none.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, suffix) = match text.split_once(['-', '+']) {
            Some((numbers, suffix)) => (numbers, Some(suffix)),
            None => (text, None),
        };
        let mut parts = numbers.split('.').map(|part| part.parse().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        let patch = parts.next().flatten();
        Some(Self { major, minor, patch, is_vendors: suffix.is_some_and(|it| !OWN.contains(&it)) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(out, ".{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_an_image_is_the_numbers_of_its_tag() {
        for (image, version, is_vendors) in [
            ("docker.io/calico/node:v3.32.1", Some("3.32.1"), false),
            ("mirror.example.com:5000/calico/node:v3.32.1@sha256:0123", Some("3.32.1"), false),
            ("quay.io/coreos/flannel:v0.12.0-amd64", Some("0.12.0"), false),
            ("docker.io/rancher/mirrored-calico-node:v3.29.1", Some("3.29.1"), false),
            ("docker.io/rancher/hardened-calico:v3.29.0-build20241113", Some("3.29.0"), true),
            (
                "0.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4-eksbuild.1",
                Some("1.20.4"),
                true,
            ),
            ("mcr.microsoft.com/oss/cilium/cilium:v1.17.2", Some("1.17.2"), true),
            ("gke.gcr.io/cilium/cilium:v1.15.6-gke.21", Some("1.15.6"), true),
            ("docker.io/calico/windows:v3.30", Some("3.30"), false),
            ("docker.io/kindest/kindnetd:v20250512-df8de77b", None, false),
            ("quay.io/cilium/cilium:latest", None, false),
            ("quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:0123", None, false),
            ("mirror.example.com:5000/calico/node", None, false),
            ("", None, false),
        ] {
            let found = Version::of_image(image);
            assert_eq!(found.map(|it| it.to_string()).as_deref(), version, "{image}");
            assert_eq!(found.is_some_and(|it| it.is_vendors), is_vendors, "{image}");
        }
    }

    #[test]
    fn versions_are_in_order_by_their_numbers() {
        let [low, high] = ["v1.9.12", "v1.10.0"].map(|it| Version::of(it).expect("a version"));
        assert!(low < high);
    }
}
