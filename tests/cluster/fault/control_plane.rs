//! What can go wrong with the control plane.

use serde_json::{Value, json};

use super::Fault;
use crate::cluster::Cluster;
use crate::control_plane::Component;
use crate::wait::{secs, until};

/// What netvitals may see.
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/netvitals-cluster";

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
        Fault::new(|| {
            program.start_again();
            until("the API server is ready again", secs(120), || self.api().ready());
        })
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
