//! Objects that are wrong, all at once: each is found by itself, and none disturbs another.
//!
//! Such a fault is one file of `files/wrong/` and nothing else: its name is the code that is found, its first line names
//! the object. Namespaced objects get the namespace `wrong`, and are gone with it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Scenario, quick};
use crate::cluster::Cluster;
use crate::stage::Stage;
use crate::tools::source;
use crate::wait::{holds, secs};

pub(super) const ALL: &[Scenario] = &[quick("wrong_objects_are_found_each_by_itself", show)];

const NAMESPACE: &str = "wrong";

/// A file of wrong objects.
struct Wrong {
    path: PathBuf,
    code: String,
    object: String,
}

impl Wrong {
    fn all() -> Vec<Self> {
        let folder = source("tests/cluster/files/wrong");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{error}"));
        let mut all: Vec<Self> =
            entries.map(|entry| Self::of(entry.expect("an entry").path())).collect();
        all.sort_by(|one, other| one.code.cmp(&other.code));
        assert!(!all.is_empty(), "{} is empty", folder.display());
        all
    }

    fn of(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
        let object = text.strip_prefix("# ").and_then(|line| line.split_once(':'));
        let (object, _) = object.unwrap_or_else(|| panic!("{}: no object", path.display()));
        let code = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        Self { code: code.to_owned(), object: object.to_owned(), path }
    }

    /// Makes its objects, and what they say of themselves: of a custom resource `apply` leaves that out.
    fn make(&self, cluster: &Cluster) {
        cluster.kubectl(&["apply", "-n", NAMESPACE, "-f", &self.path.display().to_string()]);
        let text = fs::read_to_string(&self.path).unwrap_or_else(|error| panic!("{error}"));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        for object in objects.iter().filter(|it| !it["status"].is_null()) {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let (kind, version) =
                (text(&object["kind"]).to_lowercase(), text(&object["apiVersion"]));
            let group = version.split_once('/').map_or(String::new(), |it| format!(".{}", it.0));
            let patch = json!({ "status": object["status"] }).to_string();
            cluster.kubectl(&[
                "patch",
                "-n",
                NAMESPACE,
                &format!("{kind}{group}"),
                &text(&object["metadata"]["name"]),
                "--subresource=status",
                "--type=merge",
                "-p",
                &patch,
            ]);
        }
    }
}

fn show(stage: &Stage) {
    let cluster = &stage.cluster;
    let all = Wrong::all();
    let kinds = source("tests/cluster/files/kinds.yaml");
    cluster.serve(&kinds);
    // It looks for kinds every two minutes.
    stage.every_page("the kinds are followed", secs(240), |page| {
        ["Certificate", "Gateway", "IPAddressPool"].into_iter().try_for_each(|kind| {
            let followed = page.all("netvitals_watched_objects", &[("kind", kind)]);
            holds(!followed.is_empty(), || format!("{kind} is not yet"))
        })
    });
    cluster.kubectl(&["create", "namespace", NAMESPACE]);
    for wrong in &all {
        wrong.make(cluster);
    }
    for Wrong { code, object, .. } in &all {
        stage.finds(code, object, secs(180));
    }
    stage.nothing_but(|found| {
        all.iter().any(|wrong| found.code == wrong.code && found.object == wrong.object)
    });
    println!("    {} files of wrong objects are found", all.len());
    for wrong in &all {
        let path = wrong.path.display().to_string();
        cluster.kubectl(&["delete", "-n", NAMESPACE, "--wait=false", "-f", &path]);
    }
    cluster.delete_namespaces(&[NAMESPACE]);
    cluster.delete(&kinds);
    stage.healthy(secs(240));
}
