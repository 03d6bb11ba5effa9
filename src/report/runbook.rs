//! Where the long answer to a finding stands.

/// The runbook of each check, and of the codes that have another; those are named first.
///
/// A runbook is called like the alert that it belongs to.
static OF: &[(&str, &str)] = &[
    ("dns_success.replica_failing", "NetvitalsDNSReplicaFailing"),
    ("dns_success.slow", "NetvitalsDNSLatencyHigh"),
    ("ip_pools.filling", "NetvitalsIPPoolFilling"),
    ("agents", "NetvitalsAgentMissing"),
    ("coredns_throttling", "NetvitalsCoreDNSThrottled"),
    ("dns_success", "NetvitalsDNSSuccessLow"),
    ("dns_answers", "NetvitalsDNSAnswersWrong"),
    ("endpoint_lag", "NetvitalsEndpointsLagging"),
    ("endpoint_mismatch", "NetvitalsEndpointsMismatch"),
    ("ip_pools", "NetvitalsIPPoolExhausted"),
    ("node_network_ready", "NetvitalsNodeNetworkNotReady"),
    ("node_reachability", "NetvitalsNodeUnreachable"),
    ("pod_reachability", "NetvitalsPodUnreachable"),
    ("scraping", "NetvitalsDown"),
    ("service_reachability", "NetvitalsServiceUnreachable"),
];

/// Returns the name of the runbook of a code, or of a check.
pub fn of(code: &str) -> Option<&'static str> {
    let check = code.split('.').next().unwrap_or(code);
    let named = |it: &&(&str, &str)| it.0 == code || it.0 == check;
    OF.iter().find(named).map(|(_, runbook)| *runbook)
}

/// Returns where every server has a runbook.
pub fn path(runbook: &str) -> String {
    format!("/runbooks/{runbook}")
}
