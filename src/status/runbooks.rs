//! The runbooks, within the program: a link must work when the network does not.

/// Names a file of `alerts/runbooks/` once.
macro_rules! runbooks {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../alerts/runbooks/", $name, ".md")))),*]
    };
}

/// Every runbook by its name, as Markdown.
pub static ALL: &[(&str, &str)] = runbooks![
    "NetvitalsAgentMissing",
    "NetvitalsAgentReadFailing",
    "NetvitalsCIDROverlap",
    "NetvitalsCNIAgentDown",
    "NetvitalsCNIVersionUnsupported",
    "NetvitalsCNIVersionsMixed",
    "NetvitalsCertificateIssuanceStuck",
    "NetvitalsCertificateNotRenewed",
    "NetvitalsCheckUnknown",
    "NetvitalsConfigReloadFailed",
    "NetvitalsCoreDNSMisconfigured",
    "NetvitalsCoreDNSThrottled",
    "NetvitalsCoreDNSUnderprovisioned",
    "NetvitalsDNSAnswersWrong",
    "NetvitalsDNSBlockedByPolicy",
    "NetvitalsDNSLatencyHigh",
    "NetvitalsDNSReplicaFailing",
    "NetvitalsDNSServersDown",
    "NetvitalsDNSServersFragile",
    "NetvitalsDNSSuccessLow",
    "NetvitalsDown",
    "NetvitalsEndpointsLagging",
    "NetvitalsEndpointsMismatch",
    "NetvitalsGatewayNotProgrammed",
    "NetvitalsGatewayRouteNotAccepted",
    "NetvitalsIPPoolExhausted",
    "NetvitalsIPPoolFilling",
    "NetvitalsIngressBackendMissing",
    "NetvitalsIngressBlockedByPolicy",
    "NetvitalsIngressConflict",
    "NetvitalsIngressNoAddress",
    "NetvitalsKubeProxyDown",
    "NetvitalsLoadBalancerNoTargets",
    "NetvitalsLoadBalancerPending",
    "NetvitalsNodeNetworkNotReady",
    "NetvitalsNodeUnreachable",
    "NetvitalsPodSandboxFailing",
    "NetvitalsPodUnreachable",
    "NetvitalsPodsStuckOnNetwork",
    "NetvitalsPolicyIneffective",
    "NetvitalsPolicyNotEnforced",
    "NetvitalsSeriesDropped",
    "NetvitalsServiceBlockedByPolicy",
    "NetvitalsServiceUnreachable",
    "NetvitalsSourceStale",
    "NetvitalsTaskPanicked",
];

/// Returns the text of a runbook, by its name or the name of its file.
pub fn text(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".md").unwrap_or(name);
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::check;
    use crate::report::runbook;

    #[test]
    fn every_file_is_here() {
        let files = fs::read_dir("alerts/runbooks").unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        files.sort();
        let known: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, known);
    }

    #[test]
    fn every_check_has_a_runbook_that_is_here() {
        for code in check::ALL.iter().flat_map(|check| check.codes) {
            let name = runbook::of(code).unwrap_or_else(|| panic!("{} has none", code.id));
            assert!(text(name).is_some_and(|text| text.contains(name)), "{}: {name}", code.id);
        }
    }
}
