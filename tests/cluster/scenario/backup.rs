//! etcd is restored from a backup: what happened since never did, and revisions come a second time.

use serde_json::json;

use super::{Scenario, oracle, quick};
use crate::netvitals::relists;
use crate::page::Page;
use crate::stage::Stage;
use crate::tools::source;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] =
    &[quick("etcd_restored_from_a_backup_leaves_nothing_false", restored)];

const SERVICES: &str = "/api/v1/namespaces/default/services";

/// How far the revision is ahead of the backup's: the cluster would need a quarter of an hour to come so far again.
const AHEAD: u32 = 1000;

/// A Service that the backup does not have is forgotten, one that is made afterwards is seen, and a pod that goes then
/// is missed.
fn restored(stage: &Stage) {
    let cluster = &stage.cluster;
    let web = source("tests/cluster/files/web.yaml");
    cluster.apply(&web);
    cluster.rolled_out("default", "deployments", "web");
    let snapshot = cluster.control_plane().snapshot_etcd("backup");
    let service = |name: &str| {
        cluster.api().create(
            SERVICES,
            &json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}),
        );
    };
    // Its version is one that the restored cluster has soon: by itself nobody sees there that it never was.
    service("after-the-backup");
    cluster.age_etcd(AHEAD);
    // That of the newest namespace is not.
    cluster.kubectl(&["create", "namespace", "after-the-backup"]);
    until("the page agrees with the oracle before the restore", secs(60), || {
        oracle::agrees(cluster)
    });
    cluster.restore_etcd(&snapshot);
    service("after-the-restore");
    cluster.kubectl(&["scale", "deployment/web", "--replicas=1"]);
    until("the page agrees with the oracle after the restore", secs(240), || {
        oracle::agrees(cluster)
    });
    until("each kind was listed again", secs(60), || {
        cluster.verdicts()?.iter().try_for_each(relisted)
    });
    cluster.api().delete(&format!("{SERVICES}/after-the-restore"), true);
    cluster.delete(&web);
    until("the page agrees with the oracle at the end", secs(120), || oracle::agrees(cluster));
    stage.healthy(secs(240));
}

fn relisted(page: &Page) -> Result<(), String> {
    let counts = relists(page);
    let never: Vec<&String> =
        counts.iter().filter(|(_, count)| **count == 0.0).map(|(kind, _)| kind).collect();
    holds(never.is_empty() && !counts.is_empty(), || format!("never listed again: {never:?}"))
}
