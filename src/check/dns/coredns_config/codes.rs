//! What can be wrong with a Corefile, and what to do about it.

use crate::check::dns::dns_success::RESOLVES;
use crate::check::{Code, Remedy};
use crate::model::CONFIG_MAPS;

/// A person may be at work on it, and a ConfigMap takes a minute to its pods.
const LONG: u64 = 60;

/// CoreDNS does not take it.
pub static REFUSED: Code = Code::problem("coredns_config.refused", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "CoreDNS refuses its Corefile: pods that run go on with what they had, and none begins \
         anew, so that DNS goes with the next restart.",
    )
    .remedies(&[SHOW, CUSTOM, LOG, EDIT, SERVERS]);

/// The cluster's names are not answered.
pub static CLUSTER_ZONE: Code = Code::problem("coredns_config.cluster_zone", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "No server block of the Corefile answers for the names that pods ask for with the plugin \
         kubernetes: Services have no names.",
    )
    .remedies(&[SHOW, CUSTOM, SEARCH, LOG, EDIT, RESOLVES]);

/// As before, and all queries are answered.
pub static UNCLAIMED: Code = Code::warning("coredns_config.unclaimed", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "No server block of the Corefile answers for the cluster's names, and queries are answered: \
         another server does, or CoreDNS has not taken the Corefile up yet.",
    )
    .independent()
    .remedies(&[SHOW, CUSTOM, SEARCH, LOG, EDIT, RESOLVES]);

/// What is forwarded comes back.
pub static LOOP: Code = Code::problem("coredns_config.loop", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "The Corefile forwards queries to CoreDNS itself: each goes round until its time is over, \
         and with the plugin loop CoreDNS ends at its beginning.",
    )
    .remedies(&[SHOW, CUSTOM, LOG, EDIT, SERVERS]);

/// Names outside of the cluster go nowhere.
pub static EXTERNAL: Code = Code::warning("coredns_config.external", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "The Corefile hands no names on to servers outside of the cluster: those names are not \
         answered, which a cluster without a way out may be meant to be.",
    )
    .independent()
    .remedies(&[SHOW, CUSTOM, LOG, EDIT, SEE]);

/// It asks the cache that asks it.
pub static NODE_CACHE: Code = Code::warning("coredns_config.node_cache", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "The Corefile forwards queries to the DNS cache on the node, which is there to ask CoreDNS: \
         where it hands the same names on to CoreDNS, they go round.",
    )
    .independent()
    .remedies(&[
        SHOW,
        Remedy::inspect("kubectl -n {dns_namespace} get configmaps"),
        LOG,
        SEE,
    ]);

/// Of two for the same names one is never asked.
pub static FORWARD_TWICE: Code = Code::warning("coredns_config.forward_twice", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "A server block forwards the same names twice: CoreDNS before 1.10 refuses that, and newer \
         ones ask the first and never the second.",
    )
    .independent()
    .remedies(&[SHOW, CUSTOM, LOG, EDIT, SEE]);

/// What changes is not taken up.
pub static RELOAD: Code = Code::warning("coredns_config.reload", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "The Corefile has no plugin reload: what is changed in it counts only once the pods are \
         made anew, and until then they may differ.",
    )
    .independent()
    .remedies(&[
        SHOW,
        Remedy::inspect("kubectl -n {dns_namespace} get pods -l {selector} -o wide"),
        Remedy::fix(
            "kubectl -n {dns_namespace} rollout restart {owner}",
            "replicas restart one after the other with the Corefile as it is now, and their caches \
             begin empty; there is nothing to undo",
        ),
        SEE,
    ]);

/// It lacks what keeps DNS quick, and bad pods out.
pub static LACKS: Code = Code::warning("coredns_config.lacks", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "The Corefile lacks a plugin that every distribution has: without cache each query for a \
         name outside goes out, without ready or health a kubelet cannot tell a bad pod.",
    )
    .independent()
    .remedies(&[SHOW, CUSTOM, EDIT, SEE]);

/// What changed is answered as before for long.
pub static KEPT_LONG: Code = Code::warning("coredns_config.kept_long", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "Answers for the cluster's names are kept for more than five minutes: who asked before a \
         Service came or changed goes on with what was.",
    )
    .independent()
    .remedies(&[SHOW, CUSTOM, EDIT, SEE]);

/// What is worth knowing where an answer surprises.
pub static NOTES: Code = Code::info("coredns_config.notes", &CONFIG_MAPS)
    .after(LONG)
    .explain(
        "The Corefile has what makes answers differ from what Services say, costs memory or lines of \
         the log, or lacks what tells a loop or an error: mostly on purpose.",
    )
    .independent()
    .remedies(&[SHOW, CUSTOM]);

const SHOW: Remedy =
    Remedy::inspect("kubectl -n {namespace} get configmap {name} -o jsonpath='{.data.Corefile}'");

const CUSTOM: Remedy = Remedy::inspect(
    "kubectl -n {namespace} get configmap coredns-custom --ignore-not-found -o yaml",
);

const LOG: Remedy =
    Remedy::inspect("kubectl -n {dns_namespace} logs -l {selector} --prefix --tail=100");

const SEARCH: Remedy = Remedy::inspect(
    "kubectl run dns-test --rm -it --restart=Never --image=busybox -- cat /etc/resolv.conf",
);

const EDIT: Remedy = Remedy::fix(
    "kubectl -n {namespace} edit configmap {name}",
    "with the plugin reload the pods take it up within two minutes, else once they are made anew; \
     undone by putting back what was there, and what installed CoreDNS may set it again",
);

const SERVERS: Remedy = Remedy::verify("kubectl -n {dns_namespace} get pods -l {selector} -o wide");

const SEE: Remedy =
    Remedy::verify("kubectl -n {dns_namespace} logs -l {selector} --prefix --tail=20 --since=10m");
