//! Policies of other APIs, of which no more is known than which pods they select.

use super::{Fact, Kind, Scope, Selector};

/// What is kept of the policies of one kind; `OF` counts [`FOREIGN_POLICIES`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ForeignPolicy<const OF: usize> {
    /// Whom it selects; a pod that one of these may select may be selected.
    pub subjects: Box<[Subject]>,
}

/// Pods that are selected.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subject {
    /// In which namespaces, by their labels and `kubernetes.io/metadata.name`; absent means the
    /// policy's own, or all where it has none.
    pub namespaces: Option<Selector>,
    /// Which pods there.
    pub pods: Selector,
}

/// In which words a policy says whom it selects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// `spec.subject`, by Kubernetes' own selectors.
    Admin,
    /// `spec.appliedTo`, each by Kubernetes' own selectors.
    Antrea,
    /// `spec.podSelector`.
    Application,
    /// `spec.selector`: an expression.
    Calico,
    /// `spec.endpointSelector`, with prefixes before the keys of labels.
    Cilium,
}

const ANTREA: &str = "crd.antrea.io";
const AWS: &str = "networking.k8s.aws";
const CALICO: &str = "crd.projectcalico.org";
const CALICO_3: &str = "projectcalico.org";
const CILIUM: &str = "cilium.io";
const KUBERNETES: &str = "policy.networking.k8s.io";

/// A kind, and its words.
struct Foreign {
    kind: Kind,
    dialect: Dialect,
}

/// The kinds, each by the name that no other has.
const KINDS: [Foreign; 13] = [
    Foreign {
        kind: Kind {
            label: "ClusterNetworkPolicy.crd.antrea.io",
            group: ANTREA,
            versions: &["v1beta1"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("ClusterNetworkPolicy", "clusternetworkpolicies")
        },
        dialect: Dialect::Antrea,
    },
    Foreign {
        kind: Kind {
            label: "NetworkPolicy.crd.antrea.io",
            group: ANTREA,
            versions: &["v1beta1"],
            scope: Scope::Namespaced,
            optional: true,
            ..Kind::new("NetworkPolicy", "networkpolicies")
        },
        dialect: Dialect::Antrea,
    },
    Foreign {
        kind: Kind {
            label: "ClusterNetworkPolicy.networking.k8s.aws",
            group: AWS,
            versions: &["v1alpha1"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("ClusterNetworkPolicy", "clusternetworkpolicies")
        },
        dialect: Dialect::Admin,
    },
    Foreign {
        kind: Kind {
            label: "ApplicationNetworkPolicy",
            group: AWS,
            versions: &["v1alpha1"],
            scope: Scope::Namespaced,
            optional: true,
            ..Kind::new("ApplicationNetworkPolicy", "applicationnetworkpolicies")
        },
        dialect: Dialect::Application,
    },
    Foreign {
        kind: Kind {
            label: "GlobalNetworkPolicy.crd.projectcalico.org",
            group: CALICO,
            versions: &["v1"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("GlobalNetworkPolicy", "globalnetworkpolicies")
        },
        dialect: Dialect::Calico,
    },
    Foreign {
        kind: Kind {
            label: "NetworkPolicy.crd.projectcalico.org",
            group: CALICO,
            versions: &["v1"],
            scope: Scope::Namespaced,
            optional: true,
            ..Kind::new("NetworkPolicy", "networkpolicies")
        },
        dialect: Dialect::Calico,
    },
    Foreign {
        kind: Kind {
            label: "GlobalNetworkPolicy.projectcalico.org",
            group: CALICO_3,
            versions: &["v3"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("GlobalNetworkPolicy", "globalnetworkpolicies")
        },
        dialect: Dialect::Calico,
    },
    Foreign {
        kind: Kind {
            label: "NetworkPolicy.projectcalico.org",
            group: CALICO_3,
            versions: &["v3"],
            scope: Scope::Namespaced,
            optional: true,
            ..Kind::new("NetworkPolicy", "networkpolicies")
        },
        dialect: Dialect::Calico,
    },
    Foreign {
        kind: Kind {
            label: "CiliumClusterwideNetworkPolicy",
            group: CILIUM,
            versions: &["v2"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies")
        },
        dialect: Dialect::Cilium,
    },
    Foreign {
        kind: Kind {
            label: "CiliumNetworkPolicy",
            group: CILIUM,
            versions: &["v2"],
            scope: Scope::Namespaced,
            optional: true,
            ..Kind::new("CiliumNetworkPolicy", "ciliumnetworkpolicies")
        },
        dialect: Dialect::Cilium,
    },
    Foreign {
        kind: Kind {
            label: "AdminNetworkPolicy",
            group: KUBERNETES,
            versions: &["v1alpha1"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("AdminNetworkPolicy", "adminnetworkpolicies")
        },
        dialect: Dialect::Admin,
    },
    Foreign {
        kind: Kind {
            label: "BaselineAdminNetworkPolicy",
            group: KUBERNETES,
            versions: &["v1alpha1"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies")
        },
        dialect: Dialect::Admin,
    },
    Foreign {
        kind: Kind {
            label: "ClusterNetworkPolicy.policy.networking.k8s.io",
            group: KUBERNETES,
            versions: &["v1alpha2"],
            scope: Scope::Cluster,
            optional: true,
            ..Kind::new("ClusterNetworkPolicy", "clusternetworkpolicies")
        },
        dialect: Dialect::Admin,
    },
];

/// The kinds.
pub const FOREIGN_POLICIES: [&Kind; 13] = [
    ForeignPolicy::<0>::KIND,
    ForeignPolicy::<1>::KIND,
    ForeignPolicy::<2>::KIND,
    ForeignPolicy::<3>::KIND,
    ForeignPolicy::<4>::KIND,
    ForeignPolicy::<5>::KIND,
    ForeignPolicy::<6>::KIND,
    ForeignPolicy::<7>::KIND,
    ForeignPolicy::<8>::KIND,
    ForeignPolicy::<9>::KIND,
    ForeignPolicy::<10>::KIND,
    ForeignPolicy::<11>::KIND,
    ForeignPolicy::<12>::KIND,
];

impl<const OF: usize> Fact for ForeignPolicy<OF> {
    const KIND: &'static Kind = &KINDS[OF].kind;
}

impl<const OF: usize> ForeignPolicy<OF> {
    /// In which words it says whom it selects.
    pub const DIALECT: Dialect = KINDS[OF].dialect;
}
