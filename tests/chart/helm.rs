//! Helm, and the objects that it renders.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// The chart.
pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm/netvitals");

/// A version of Kubernetes to render for: a Helm 3 that was built by hand has an old one in mind.
const KUBERNETES: &str = "--kube-version=1.36.3";

/// Every Helm that the chart works with, the newest first; built once.
static EVERY: LazyLock<[Helm; 2]> = LazyLock::new(|| ["helm", "helm3"].map(Helm::build));

/// A Helm that was built.
pub(crate) struct Helm {
    /// Its family in `tests/tools`.
    pub(crate) name: &'static str,
    path: String,
}

impl Helm {
    /// Every Helm that the chart works with, the newest first.
    pub(crate) fn every() -> &'static [Self] {
        &*EVERY
    }

    /// The newest.
    pub(crate) fn newest() -> &'static Self {
        &EVERY[0]
    }

    fn build(name: &'static str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/build");
        let folder = run(script, &[name]).unwrap_or_else(|error| panic!("{error}"));
        Self { name, path: format!("{}/helm", folder.trim()) }
    }

    /// Lints the chart.
    ///
    /// # Errors
    ///
    /// Fails with Helm's words.
    pub(crate) fn lint(&self, values: &[&str]) -> Result<String, String> {
        self.run(&[&["lint", "--strict", KUBERNETES, CHART], values].concat())
    }

    fn run(&self, args: &[&str]) -> Result<String, String> {
        run(&self.path, args)
    }

    /// Renders the chart.
    ///
    /// # Errors
    ///
    /// Fails with Helm's words.
    pub(crate) fn template(
        &self,
        release: &str,
        namespace: &str,
        values: &[&str],
    ) -> Result<String, String> {
        self.template_of(CHART, release, namespace, values)
    }

    /// Renders any chart.
    ///
    /// # Errors
    ///
    /// Fails with Helm's words.
    pub(crate) fn template_of(
        &self,
        chart: &str,
        release: &str,
        namespace: &str,
        values: &[&str],
    ) -> Result<String, String> {
        let words =
            ["template", release, chart, "--namespace", namespace, "--skip-tests", KUBERNETES];
        self.run(&[&words, values].concat())
    }

    /// What an installation prints.
    pub(crate) fn notes(&self, values: &[&str]) -> String {
        let words = ["install", "netvitals", CHART, "--namespace=netvitals", "--dry-run=client"];
        let said = self.run(&[&words, values].concat()).unwrap_or_else(|error| panic!("{error}"));
        let notes = said.split_once("NOTES:").map(|(_, notes)| notes.to_owned());
        notes.unwrap_or_else(|| panic!("no notes in {said}"))
    }
}

/// Runs a program to its end.
///
/// # Errors
///
/// Fails with its words.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let ended = Command::new(program).args(args).output();
    let ended = ended.map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if ended.status.success() {
        Ok(text(&ended.stdout))
    } else {
        Err(format!("{program} {args:?}: {}{}", text(&ended.stdout), text(&ended.stderr)))
    }
}

/// The objects of a text of manifests.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    all.into_iter().filter(Value::is_object).collect()
}

/// The objects of a kind.
pub(crate) fn all<'a>(objects: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// The object of that kind and name.
///
/// # Panics
///
/// Panics where there is none.
pub(crate) fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = all(objects, kind).find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}, only {:?}", names(objects, kind)))
}

/// The names of the objects of a kind.
pub(crate) fn names(objects: &[Value], kind: &str) -> BTreeSet<String> {
    all(objects, kind).filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect()
}

/// How many objects there are of each kind.
pub(crate) fn kinds(objects: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for object in objects {
        *counts.entry(object["kind"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}
