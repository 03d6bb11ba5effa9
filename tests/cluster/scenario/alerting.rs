//! An alert on its whole way: counters, Prometheus, Alertmanager, and who is told.

use serde_json::Value;

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::tools::source;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] =
    &[quick("dns_failing_is_told_by_the_alertmanager_and_then_resolved", dns_failing)];

const ALERT: &str = "NetvitalsDNSSuccessLow";

/// Each replica of CoreDNS fails 30 % of the queries.
fn dns_failing(stage: &Stage) {
    let (alertmanager, monitor) = (stage.alertmanager(), stage.monitor());
    let fault = stage.cluster.coredns().servfail(30);
    let of_all = |alert: &Value| alert["labels"]["severity"] == "critical";
    let heard = alertmanager.tells(ALERT, "firing", secs(180), of_all);
    let fires = monitor.fires(ALERT, secs(10), of_all);
    assert_eq!(heard["labels"], fires["labels"], "labels are lost on the way");
    assert_eq!(heard["labels"]["component"], "dns");
    let annotation = |name: &str| heard["annotations"][name].as_str().unwrap_or_default();
    for name in ["summary", "description", "runbook_url", "dashboard_url"] {
        assert!(!annotation(name).is_empty(), "no {name}: {heard}");
    }
    println!("    {}", annotation("description"));
    let (_, runbook) = annotation("runbook_url").rsplit_once('/').expect("it is a URL");
    let file = source(format!("alerts/runbooks/{runbook}"));
    assert!(file.exists(), "{} is not there", file.display());
    // Each node fails as well, which need not be told.
    until("the alerts of single nodes are kept back", secs(60), || {
        let alerts = alertmanager.alerts()?;
        let nodes: Vec<&Value> = alerts
            .iter()
            .filter(|alert| alert["labels"]["alertname"] == ALERT && !of_all(alert))
            .collect();
        let back = nodes.iter().all(|alert| alert["status"]["state"] == "suppressed");
        holds(!nodes.is_empty() && back, || format!("{nodes:?}"))
    });
    fault.heal();
    alertmanager.tells(ALERT, "resolved", secs(180), of_all);
    monitor.resolves(ALERT, secs(120));
    stage.healthy(secs(120));
}
