//! IP pools and sandboxes: how much is left for pods, whether they get it, and whether ranges stay apart.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{on_nodes, once, quantile, rate, series};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let bound = |severity| rules.rule("NetvitalsIPPoolFilling", severity).threshold();
    let bands =
        [(bound("info"), "yellow"), (bound("warning"), "orange"), (bound("critical"), "red")];
    let used = "netvitals_ip_pool_utilisation_ratio";
    let by_node = ["ipam", "pool", "node", "ip_family"];
    let waiting = once(&by_node, &on_nodes("netvitals_ip_pool_waiting_pods", ""));
    let of_nodes = r#"ipam=~"host-local|cilium", scope="shared""#;
    let of = |family: &str| series(&format!("netvitals_ip_pool_{family}"), of_nodes);
    let left = format!("{} - {} - {}", of("addresses"), of("reserved"), of("used"));
    let panels = vec![
        Panel::lines(
            41,
            "Pools of the cluster",
            "Used share of each pool that serves the whole cluster, of pods, of Services and of \
             ports; those that stand in for each other are added up. The dashed lines are the \
             alert's bands.",
        )
        .query(
            &once(&["ipam", "pool", "ip_family"], &series(used, r#"scope="cluster""#)),
            "{{ipam}} {{pool}} {{ip_family}}",
        )
        .share()
        .colours("green", &bands)
        .empty("no pool serves the whole cluster")
        .alerts(rules, &["NetvitalsIPPoolFilling", "NetvitalsIPPoolExhausted"]),
        Panel::bars(
            42,
            "Fullest pools of nodes",
            "The 15 fullest. A full node is no fault by itself: schedulers fill nodes on \
             purpose. It is one when pods wait, which the next panel shows.",
        )
        .query(
            &format!("topk(15, {})", once(&by_node, &on_nodes(used, r#"scope="node""#))),
            "{{node}} {{ip_family}}",
        )
        .share()
        .colours("blue", &[])
        .empty("no pool of a node is known")
        .alerts(rules, &["NetvitalsIPPoolExhausted"]),
        Panel::lines(
            43,
            "Pods that wait for an address",
            "Pods that were scheduled and have no address yet. A moment is normal.",
        )
        .query(&format!("{waiting} > 0"), "{{pool}} {{node}} {{ip_family}}")
        .unit("short")
        .colours("green", &[(1.0, "red")])
        .empty("nobody waits, or no pool is known")
        .alerts(rules, &["NetvitalsIPPoolExhausted"]),
        Panel::lines(
            130,
            "Addresses and ports of Services",
            "How many Services have, those of load balancers too, also where nobody says of how many. Once there are none left, \
             whoever makes a Service is refused, and no event says so.",
        )
        .query(
            &once(
                &["ipam", "pool", "ip_family"],
                &series("netvitals_ip_pool_used", r#"ipam=~"services|node-ports|metallb|cilium-lb", scope=~"cluster|shared""#),
            ),
            "{{ipam}} {{pool}} {{ip_family}}",
        )
        .unit("short")
        .empty("there is no verdict"),
        Panel::lines(
            131,
            "Ranges left for new nodes",
            "How many more nodes would get a range for their pods, where the flags of the controller \
             manager, or what Cilium is told, say of how many.",
        )
        .query(
            &once(&["pool", "ip_family"], &left),
            "{{pool}} {{ip_family}}",
        )
        .unit("short")
        .empty("nobody says of how many, or pods have other addresses"),
        Panel::lines(
            47,
            "Ranges that overlap",
            "Nodes of which a range or an address lies in one that is for something else, or is \
             another's. All are 0 where ranges are planned well.",
        )
        .size(24, 6)
        .query(
            &once(&["first", "second"], &series("netvitals_cidr_overlaps", "")),
            "{{first}} and {{second}}",
        )
        .unit("short")
        .colours("green", &[(1.0, "red")])
        .empty("there is no verdict")
        .alerts(rules, &["NetvitalsCIDROverlap"]),
    ];
    let panels = panels
        .into_iter()
        .chain(sandboxes(rules))
        .chain([agents(rules), versions(rules)])
        .collect();
    Row { title: Some((40, "IP pools and sandboxes")), panels }
}

fn agents(rules: &Rules) -> Panel {
    let by = ["node", "cni"];
    Panel::lines(
        110,
        "Agents of the CNI that are not ready",
        "Nodes whose pod of the CNI's DaemonSet is not ready, or is missing: pods that run keep their \
         network, and new ones get none.",
    )
    .size(24, 6)
    .query(
        &format!("1 - {} > 0", once(&by, &on_nodes("netvitals_cni_agent_ready", ""))),
        "{{node}} {{cni}}",
    )
    .unit("short")
    .colours("green", &[(1.0, "red")])
    .empty("none that is known, or no agent is known")
    .alerts(rules, &["NetvitalsCNIAgentDown"])
}

fn versions(rules: &Rules) -> Panel {
    Panel::lines(
        111,
        "Versions of the CNI",
        "Nodes by the version of the CNI's agent that is ready there, and by what is published of it \
         with their Kubernetes. Two lines of one CNI are normal while a rollout moves.",
    )
    .size(24, 6)
    .query(
        &once(&["cni", "version", "support"], &series("netvitals_cni_nodes", "")),
        "{{cni}} {{version}} {{support}}",
    )
    .unit("short")
    .empty("no agent of a CNI is known")
    .alerts(rules, &["NetvitalsCNIVersionsMixed", "NetvitalsCNIVersionUnsupported"])
}

fn sandboxes(rules: &Rules) -> [Panel; 3] {
    let failures = rate(&on_nodes("netvitals_sandbox_failure_events_total", ""));
    let buckets = rate(&series("netvitals_pod_sandbox_setup_seconds_bucket", ""));
    let buckets = once(&["le"], &buckets);
    [
        Panel::lines(
            44,
            "Pods that wait, by cause",
            "Pods without a sandbox on their node, and without a node for reasons of the network. A \
             moment is normal; volumes and images are not the network's.",
        )
        .query(&once(&["cause"], &series("netvitals_waiting_pods", "")), "{{cause}}")
        .unit("short")
        .empty("no verdict")
        .alerts(rules, &["NetvitalsPodSandboxFailing", "NetvitalsPodsStuckOnNetwork"]),
        Panel::lines(
            45,
            "Failed sandboxes",
            "Events a second that tell of one, by node and class. Fewer than there are: kubelets \
             drop what comes too often.",
        )
        .query(&format!("{} > 0", once(&["node", "class"], &failures)), "{{node}} {{class}}")
        .unit("short")
        .empty("no sandbox has failed")
        .alerts(rules, &["NetvitalsPodSandboxFailing"]),
        Panel::lines(
            46,
            "Time until a pod has its sandbox",
            "From the node of a pod to its address, by the clock of the cluster role. Images may be \
             a part of it.",
        )
        .query(&quantile("0.5", &buckets), "half of all")
        .query(&quantile("0.99", &buckets), "99 of 100")
        .unit("s")
        .empty("no pod was started"),
    ]
}
