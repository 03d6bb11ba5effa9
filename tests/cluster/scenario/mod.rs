//! What is shown on the real cluster, in the order in which it is shown.

mod addresses;
mod api_server;
mod dashboard;
mod dns;
mod endpoints;
mod faults;
mod healthy;
mod nodes;
mod oracle;
mod reach;
mod throttling;

use crate::stage::Stage;

/// Something that is shown: it panics where it is not so, and leaves the cluster as it was.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Its name, a sentence.
    pub(crate) name: &'static str,
    /// Shows it.
    pub(crate) show: fn(&Stage),
}

const fn scenario(name: &'static str, show: fn(&Stage)) -> Scenario {
    Scenario { name, show }
}

/// All of them. The first sees netvitals as shipped, the others give it shorter intervals; the last takes a node away.
pub(crate) static ALL: &[Scenario] = &[
    scenario("healthy_cluster_has_no_finding_and_no_alert", healthy::show),
    scenario("dashboard_has_an_answer_to_every_query", dashboard::answered),
    scenario("dns_packets_dropped_lower_the_ratio_and_fire_the_alert", dns::packets_dropped),
    scenario("dns_replica_that_fails_is_named", dns::one_replica),
    scenario("dns_replica_without_the_api_answers_wrong", dns::stale_replica),
    scenario("dns_of_one_node_dead_names_the_node", dns::one_node),
    scenario("coredns_throttled_is_the_root_of_the_latency", throttling::show),
    scenario("addresses_exhausted_on_a_node_with_pods_waiting", addresses::show),
    scenario("endpoints_stale_while_controllers_stand", endpoints::show),
    scenario("node_isolated_is_named_alone", reach::node_isolated),
    scenario("pod_network_broken_is_told_from_the_node", reach::pod_network_broken),
    scenario("service_rules_flushed_are_told_from_the_pods", reach::service_rules_flushed),
    scenario("node_of_a_replica_isolated_is_one_finding", reach::replica_isolated),
    scenario("node_without_cni_configuration_is_named", nodes::cni_hidden),
    scenario("api_server_killed_makes_nothing_wrong", api_server::killed),
    scenario("api_forbids_one_kind_and_only_its_checks_are_unknown", api_server::forbidden),
    faults::CNI_CONFIGURATION_HIDDEN,
    faults::NODE_ISOLATED,
    faults::PACKETS_DROPPED_BETWEEN_NODES,
    faults::POD_NETWORK_BROKEN,
    faults::KUBE_PROXY_STOPPED_AND_FLUSHED,
    faults::DNS_OF_A_NODE_DROPPED,
    faults::DNS_PACKETS_DROPPED,
    faults::DNS_REPLICA_CUT_OFF,
    faults::DNS_CPU_LIMITED,
    faults::CONTROLLERS_PAUSED,
    faults::API_SERVER_KILLED,
    faults::KIND_FORBIDDEN,
    scenario("node_killed_and_deleted_leaves_nothing_behind", nodes::killed),
];
