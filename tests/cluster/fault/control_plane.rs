//! What can go wrong with the control plane.

use serde_json::{Value, json};

use super::Fault;
use crate::cluster::Cluster;
use crate::control_plane::{Component, ETCD, Snapshot};
use crate::wait::{secs, until};
use crate::web;

/// What netvitals may see.
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/netvitals:netvitals-cluster";

impl Cluster {
    /// Stops a component as SIGSTOP does; undone, it goes on.
    pub(crate) fn pause(&self, component: Component) -> Fault<'_> {
        let program = self.control_plane().program(component);
        program.pause();
        Fault::new(|| program.resume())
    }

    /// Kills the API server; undone, it starts again and is ready.
    pub(crate) fn kill_apiserver(&self) -> Fault<'_> {
        let program = self.control_plane().program(Component::ApiServer);
        program.kill();
        Fault::new(|| self.start_apiserver())
    }

    /// Makes every watch expire: the API server starts again and remembers no change, and etcd's history is gone.
    /// A client that wants to go on from what it last saw is told 410 and has to list anew.
    ///
    /// Returns when the API server is ready again; there is nothing to undo.
    pub(crate) fn expire_watch(&self) {
        let program = self.control_plane().program(Component::ApiServer);
        program.kill();
        // A client may have seen the newest revision: one more makes each of them old.
        let bump = self.etcd("kv/put", &json!({"key": "bGFi", "value": "bGFi"}));
        let revision = &bump["header"]["revision"];
        assert!(revision.is_string(), "etcd says no revision: {bump}");
        self.etcd("kv/compaction", &json!({"revision": revision, "physical": true}));
        self.start_apiserver();
    }

    /// Lets etcd's revision grow by so much, as months of changes would.
    pub(crate) fn age_etcd(&self, revisions: u32) {
        for _ in 0..revisions {
            self.etcd("kv/put", &json!({"key": "bGFi", "value": "bGFi"}));
        }
    }

    /// Gives the cluster the etcd of a backup, and starts anew what documentation says: controllers, scheduler, kubelets,
    /// kube-proxies, CoreDNS. Returns when the nodes are Ready; there is nothing to undo.
    pub(crate) fn restore_etcd(&self, snapshot: &Snapshot) {
        self.control_plane().restore_etcd(snapshot);
        until("the API server is ready again", secs(120), || self.api().ready());
        self.control_plane().restart_controllers();
        for node in self.nodes() {
            for program in [&node.kubelet, &node.kube_proxy] {
                program.kill();
                program.start_again();
            }
        }
        until("every node is Ready", secs(120), || self.all_ready());
        self.kubectl(&["-n", "kube-system", "rollout", "restart", "deployment/coredns"]);
        self.rolled_out("kube-system", "deployments", "coredns");
    }

    fn start_apiserver(&self) {
        self.control_plane().program(Component::ApiServer).start_again();
        until("the API server is ready again", secs(120), || self.api().ready());
    }

    /// Asks etcd.
    fn etcd(&self, call: &str, body: &Value) -> Value {
        let said = web::post(ETCD, &format!("/v3/{call}"), &body.to_string());
        let said = said.unwrap_or_else(|error| panic!("{error}"));
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Takes a resource out of what netvitals may list and watch; a watch that runs goes on until its timeout.
    pub(crate) fn forbid(&self, resource: &str) -> Fault<'_> {
        let role = self.api().get(ROLE).unwrap_or_else(|error| panic!("{error}"));
        let was = role["rules"].clone();
        let mut rules = was.clone();
        let mut found = false;
        for rule in rules.as_array_mut().into_iter().flatten() {
            let Some(resources) = rule["resources"].as_array_mut() else { continue };
            let before = resources.len();
            resources.retain(|other| other != resource);
            found |= resources.len() < before;
        }
        assert!(found, "netvitals' role has no {resource}: {was}");
        let kept =
            rules.as_array().into_iter().flatten().filter(|rule| rule["resources"] != json!([]));
        let kept: Vec<&Value> = kept.collect();
        self.api().patch(ROLE, &json!({"rules": kept}));
        Fault::new(move || {
            self.api().patch(ROLE, &json!({"rules": was}));
        })
    }
}
