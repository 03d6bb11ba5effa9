//! The ConfigMaps of which the text is read, each watched by its name.

use super::{Fact, Kind};

/// What is kept of the ConfigMaps of one name, wherever they are; `OF` counts [`NAMES`].
///
/// One name is one kind: the API lets a role watch a single name, and none besides.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConfigMap<const OF: usize> {
    /// `data`, the Corefile first.
    pub texts: Box<[Text]>,
}

/// One text of a ConfigMap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text {
    /// Its key.
    pub key: Box<str>,
    /// Absent where it is too long to be kept.
    pub text: Option<Box<str>>,
}

/// Their names, and the labels of their series: what CoreDNS is told by kubeadm and most others,
/// by OpenShift, by RKE2; what users add; what the caches on nodes are told; what kubeadm,
/// flannel and Cilium were told of ranges; and what kube-proxy is told.
const NAMES: [(&str, &str); 9] = [
    ("coredns", "ConfigMap/coredns"),
    ("dns-default", "ConfigMap/dns-default"),
    ("rke2-coredns-rke2-coredns", "ConfigMap/rke2-coredns-rke2-coredns"),
    ("coredns-custom", "ConfigMap/coredns-custom"),
    ("node-local-dns", "ConfigMap/node-local-dns"),
    ("kubeadm-config", "ConfigMap/kubeadm-config"),
    ("kube-flannel-cfg", "ConfigMap/kube-flannel-cfg"),
    ("cilium-config", "ConfigMap/cilium-config"),
    ("kube-proxy", "ConfigMap/kube-proxy"),
];

/// What was told to kubeadm.
pub type KubeadmConfig = ConfigMap<5>;

/// What flannel is told.
pub type FlannelConfig = ConfigMap<6>;

/// What Cilium is told.
pub type CiliumConfig = ConfigMap<7>;

/// What kube-proxy is told.
pub type KubeProxyConfig = ConfigMap<8>;

/// The kinds of those that may have Corefiles.
pub const CONFIG_MAPS: [&Kind; 5] = [
    ConfigMap::<0>::KIND,
    ConfigMap::<1>::KIND,
    ConfigMap::<2>::KIND,
    ConfigMap::<3>::KIND,
    ConfigMap::<4>::KIND,
];

/// Longer texts are not kept; nor is what comes behind so much of one ConfigMap.
const MOST_TEXT: usize = 64 << 10;
const MOST: usize = 2 * MOST_TEXT;

impl<const OF: usize> Fact for ConfigMap<OF> {
    const KIND: &'static Kind = &Kind {
        label: NAMES[OF].1,
        only: Some(NAMES[OF].0),
        ..Kind::new("ConfigMap", "configmaps")
    };
}

impl<const OF: usize> ConfigMap<OF> {
    /// Keeps texts by their keys, the Corefile first.
    pub fn new(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all: Vec<(String, String)> = texts.into_iter().collect();
        all.sort_by(|(one, _), (other, _)| {
            (one != "Corefile").cmp(&(other != "Corefile")).then_with(|| one.cmp(other))
        });
        let mut left = MOST;
        let keep = |(key, text): (String, String)| {
            let kept = text.len() <= MOST_TEXT.min(left);
            left -= if kept { text.len() } else { 0 };
            Text { key: key.into(), text: kept.then(|| text.into()) }
        };
        Self { texts: all.into_iter().map(keep).collect() }
    }

    /// Returns the text of a key, if it is kept.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts.iter().find(|it| *it.key == *key)?.text.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_too_long_or_too_many_are_known_by_their_keys_alone() {
        let long = |length| "a".repeat(length);
        let texts = [
            ("Corefile", long(10)),
            ("a", long(MOST_TEXT)),
            ("b", long(MOST_TEXT + 1)),
            ("c", long(MOST_TEXT)),
            ("d", long(7)),
        ];
        let map = ConfigMap::<0>::new(texts.map(|(key, text)| (key.to_owned(), text)));
        let kept: Vec<_> = map.texts.iter().map(|it| (&*it.key, it.text.is_some())).collect();
        assert_eq!(
            kept,
            [("Corefile", true), ("a", true), ("b", false), ("c", false), ("d", true)]
        );
    }
}
