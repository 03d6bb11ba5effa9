//! What is shown on the real cluster, in the order in which it is shown.

mod addresses;
mod alerting;
mod api_server;
mod changes;
mod dashboard;
mod dns;
mod endpoints;
mod faults;
mod healthy;
mod install;
mod nodes;
mod oracle;
mod policy;
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

/// All of them. The first come before netvitals is there, the next sees it as shipped, the others give it shorter
/// intervals; the last takes a node away.
pub(crate) static ALL: &[Scenario] = &[
    scenario("install_renders_what_the_api_server_takes", install::accepted),
    scenario("install_refused_by_pod_security_names_the_command", install::refused),
    scenario("install_twice_by_helm_finds_and_fires_nothing", install::twice),
    scenario("healthy_cluster_has_no_finding_and_no_alert", healthy::show),
    scenario("dashboard_has_an_answer_to_every_query", dashboard::answered),
    scenario("dns_packets_dropped_lower_the_ratio_and_fire_the_alert", dns::packets_dropped),
    scenario("dns_replica_that_fails_is_named", dns::one_replica),
    scenario("dns_replica_without_the_api_answers_wrong", dns::stale_replica),
    scenario("dns_of_one_node_dead_names_the_node", dns::one_node),
    scenario("dns_failing_is_told_by_the_alertmanager_and_then_resolved", alerting::dns_failing),
    scenario("policy_that_restricts_netvitals_is_named_alone", policy::foreign_deny),
    scenario("policies_shipped_let_through_what_is_needed", policy::shipped),
    scenario("coredns_throttled_is_the_root_of_the_latency", throttling::show),
    scenario("addresses_exhausted_on_a_node_with_pods_waiting", addresses::show),
    scenario("endpoints_stale_while_controllers_stand", endpoints::show),
    scenario("node_isolated_is_named_alone", reach::node_isolated),
    scenario("pod_network_broken_is_told_from_the_node", reach::pod_network_broken),
    scenario("service_rules_flushed_are_told_from_the_pods", reach::service_rules_flushed),
    scenario("node_of_a_replica_isolated_is_one_finding", reach::replica_isolated),
    scenario("node_without_cni_configuration_is_named", nodes::cni_hidden),
    scenario("planned_changes_find_nothing_and_lose_no_data", changes::show),
    scenario("nodes_by_the_hundred_keep_pages_small", nodes::many),
    scenario("api_server_killed_makes_nothing_wrong", api_server::killed),
    scenario("api_forbids_one_kind_and_only_its_checks_are_unknown", api_server::forbidden),
    scenario("api_watches_expired_lose_and_invent_nothing", api_server::expired),
    scenario("fault_cni_configuration_hidden", |stage| {
        faults::node::cni_configuration_hidden(&stage.cluster)
    }),
    scenario("fault_cni_configuration_added", |stage| {
        faults::node::cni_configuration_added(&stage.cluster)
    }),
    scenario("fault_cni_binary_removed", |stage| faults::node::cni_binary_removed(&stage.cluster)),
    scenario("fault_kubelet_with_another_dns", |stage| {
        faults::node::kubelet_with_another_dns(&stage.cluster)
    }),
    scenario("fault_conntrack_full", |stage| faults::node::conntrack_full(&stage.cluster)),
    scenario("fault_kube_proxy_stopped_and_flushed", |stage| {
        faults::node::kube_proxy_stopped_and_flushed(&stage.cluster)
    }),
    scenario("fault_node_isolated", |stage| faults::network::node_isolated(&stage.cluster)),
    scenario("fault_packets_dropped_between_nodes", |stage| {
        faults::network::packets_dropped_between_nodes(&stage.cluster)
    }),
    scenario("fault_packets_dropped_in_one_direction", |stage| {
        faults::network::packets_dropped_in_one_direction(&stage.cluster)
    }),
    scenario("fault_pod_network_broken", |stage| {
        faults::network::pod_network_broken(&stage.cluster)
    }),
    scenario("fault_mtu_changed", |stage| faults::network::mtu_changed(&stage.cluster)),
    scenario("fault_too_big_is_not_said", |stage| {
        faults::network::too_big_is_not_said(&stage.cluster)
    }),
    scenario("fault_default_route_removed", |stage| {
        faults::network::default_route_removed(&stage.cluster)
    }),
    scenario("fault_route_added", |stage| faults::network::route_added(&stage.cluster)),
    scenario("fault_dns_of_a_node_dropped", |stage| {
        faults::dns::dns_of_a_node_dropped(&stage.cluster)
    }),
    scenario("fault_dns_packets_dropped", |stage| faults::dns::dns_packets_dropped(&stage.cluster)),
    scenario("fault_dns_replica_cut_off_from_the_api", |stage| {
        faults::dns::dns_replica_cut_off_from_the_api(&stage.cluster)
    }),
    scenario("fault_dns_cpu_limited", |stage| faults::dns::dns_cpu_limited(&stage.cluster)),
    scenario("fault_dns_scaled_to_zero", |stage| faults::dns::dns_scaled_to_zero(&stage.cluster)),
    scenario("fault_dns_with_another_corefile", |stage| {
        faults::dns::dns_with_another_corefile(&stage.cluster)
    }),
    scenario("fault_dns_says_servfail", |stage| faults::dns::dns_says_servfail(&stage.cluster)),
    scenario("fault_policy_enforced", |stage| faults::policy::policy_enforced(&stage.cluster)),
    scenario("bed_ingress_forwarded", |stage| faults::ingress::ingress_forwarded(&stage.cluster)),
    scenario("fault_watches_expired", |stage| {
        faults::control_plane::watches_expired(&stage.cluster)
    }),
    scenario("fault_controllers_paused", |stage| {
        faults::control_plane::controllers_paused(&stage.cluster)
    }),
    scenario("fault_api_server_killed", |stage| {
        faults::control_plane::api_server_killed(&stage.cluster)
    }),
    scenario("fault_kind_forbidden", |stage| faults::control_plane::kind_forbidden(&stage.cluster)),
    scenario("node_killed_and_deleted_leaves_nothing_behind", nodes::killed),
];
