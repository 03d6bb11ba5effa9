//! Policies of other APIs, which may decide before or after all others: whom they select is not
//! judged.

use crate::cluster::Cluster;
use crate::model::{FOREIGN_POLICIES, Fact, ForeignPolicy, Key, Selector, Subject};
use crate::policy::OtherPolicy;

/// How the policies of each kind are read.
const READ: [fn(&Cluster, &mut Vec<OtherPolicy>); FOREIGN_POLICIES.len()] = [
    read::<0>, read::<1>, read::<2>, read::<3>, read::<4>, read::<5>, read::<6>, read::<7>,
    read::<8>, read::<9>, read::<10>, read::<11>, read::<12>,
];

/// How Calico calls what it makes of Kubernetes' own policies, which are looked at as those.
const MADE: [&str; 4] = ["knp.", "kcnp.", "kanp.", "kbanp."];

/// Returns those that are known; a kind that cannot be read is a gap of the check that wants it.
pub(in crate::check) fn foreign(cluster: &Cluster) -> Vec<OtherPolicy> {
    let mut all = Vec::new();
    for read in READ {
        read(cluster, &mut all);
    }
    all
}

fn read<const OF: usize>(cluster: &Cluster, all: &mut Vec<OtherPolicy>) {
    let Some(table) = cluster.last_known::<ForeignPolicy<OF>>() else { return };
    let kind = ForeignPolicy::<OF>::KIND;
    if table.has_undecoded() {
        let (namespaces, pods) = Default::default();
        all.push(OtherPolicy { kind, namespaces, pods });
    }
    let theirs = table.iter().filter(|(key, _)| !MADE.iter().any(|it| key.name.starts_with(it)));
    for (key, policy) in theirs {
        all.extend(policy.subjects.iter().map(|subject| OtherPolicy {
            kind,
            namespaces: namespaces(key, subject),
            pods: subject.pods.clone(),
        }));
    }
}

fn namespaces(key: &Key, subject: &Subject) -> Selector {
    if key.namespace.is_empty() {
        return subject.namespaces.clone().unwrap_or_default();
    }
    let own = [("kubernetes.io/metadata.name", &*key.namespace)];
    Selector { labels: own.into(), ..Selector::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Event;
    use crate::fixtures::cluster;
    use crate::model::Labels;

    #[test]
    fn a_policy_speaks_of_its_own_namespace_or_of_those_that_it_selects() {
        let label = |key: &str, value: &str| Selector {
            labels: [(key, value)].into(),
            ..Selector::default()
        };
        let subject = |namespaces| {
            let pods = label("app", "cart");
            Box::from([Subject { namespaces, pods }])
        };
        let facts = cluster()
            .with(Event::Put(Key::new("shop", "a"), ForeignPolicy::<9> { subjects: subject(None) }))
            .with(Event::Put(
                Key::new("", "b"),
                ForeignPolicy::<12> { subjects: subject(Some(label("team", "a"))) },
            ))
            .with(Event::Put(Key::new("", "c"), ForeignPolicy::<8> { subjects: subject(None) }))
            .with(Event::Put(
                Key::new("shop", "knp.default.d"),
                ForeignPolicy::<7> { subjects: subject(None) },
            ));
        let text = |labels: &Labels| {
            labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<String>()
        };
        let all = foreign(&facts);
        let all: Vec<String> = all
            .iter()
            .map(|it| format!("{}: {}", it.kind.label, text(&it.namespaces.labels)))
            .collect();
        assert_eq!(
            all,
            [
                "CiliumClusterwideNetworkPolicy: ",
                "CiliumNetworkPolicy: kubernetes.io/metadata.name=shop",
                "ClusterNetworkPolicy.policy.networking.k8s.io: team=a",
            ]
        );
    }
}
