//! The commands of every code, as a person pastes them, against a real API server.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use netvitals::check::{self, Code, Finding};
use netvitals::model::{Fact, Key, Kind, Namespace, Node, Object};
use netvitals::report::remedy;
use netvitals::status::runbooks;
use serde_json::json;

use super::{Scenario, bare};
use crate::program::try_run;
use crate::stage::Stage;
use crate::tools::{image, source};
use crate::wait::{secs, until};

pub(super) const ALL: &[Scenario] =
    &[bare("remedies_run_as_they_stand_in_bash_and_zsh", run_as_they_stand)];

/// The namespace whose objects the commands are about, as its file has it.
const NAMESPACE: &str = "remedies";

/// What the objects there are called.
const NAME: &str = "it";

/// A policy that is to be made.
const POLICY: &str = r#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"it-dns"},"spec":{"podSelector":{},"policyTypes":["Egress"]}}"#;

/// The pods of `kubectl debug node`.
const DEBUGGERS: &str = "app.kubernetes.io/managed-by=kubectl-debug";

/// What the lab has not, by what kubectl says then. The API server has taken the words all the same.
const MISSING: &[(&str, &str)] = &[
    ("can-i", "exit status: 1: no"),
    // Nothing of that name.
    ("grep", "exit status: 1: \0"),
    ("top", "Metrics API not available"),
    // Its controller manager is the only one, and leads without a lease.
    ("kube-controller-manager", "leases.coordination.k8s.io \"kube-controller-manager\" not found"),
    ("--previous", "previous terminated container"),
    ("servicemonitors", "the server could not find the requested resource"),
    ("servicemonitors", "the server doesn't have a resource type \"servicemonitors\""),
    ("ippools.crd.projectcalico.org", "the server doesn't have a resource type \"ippools\""),
    ("ipamblocks.crd.projectcalico.org", "the server doesn't have a resource type \"ipamblocks\""),
    ("amazon-vpc-cni", "configmaps \"amazon-vpc-cni\" not found"),
    ("daemonset/cilium", "daemonsets.apps \"cilium\" not found"),
    (
        "policyendpoints.networking.k8s.aws",
        "the server doesn't have a resource type \"policyendpoints\"",
    ),
    ("ciliumnodes.cilium.io", "the server doesn't have a resource type \"ciliumnodes\""),
    (
        "ciliumloadbalancerippools.cilium.io",
        "the server doesn't have a resource type \"ciliumloadbalancerippools\"",
    ),
    (
        "prometheuses.monitoring.coreos.com",
        "the server doesn't have a resource type \"prometheuses\"",
    ),
];

/// What stands in the place of kubectl: writes are tried and not done, where kubectl can; an editor changes nothing;
/// images are those of the lab.
const STAND_IN: &str = r#"#!/usr/bin/env bash
if [ -n "${ONLY_SHOW-}" ]; then printf '%s\n' "$@"; exit; fi
words=() verb= from=/dev/null
for word; do
  case $word in
    --image=*) word=--image=@IMAGE@ ;;
    -) from=/dev/stdin ;;
    -n | -* | @NAMESPACE@ | default | kube-*) ;;
    *) if [ -z "$verb" ]; then
         verb=$word
         words+=("$word")
         case $verb in
           annotate | cordon | create | delete | label | patch | scale | set | taint) words+=(--dry-run=server) ;;
           debug | run) words+=(--image-pull-policy=Never) ;;
         esac
         continue
       fi ;;
  esac
  words+=("$word")
done
KUBE_EDITOR=true exec @KUBECTL@ --kubeconfig @CONFIG@ --cache-dir @CACHE@ "${words[@]}" <"$from"
"#;

/// What stands in the place of date: in both shells it is the same second.
const CLOCK: &str = "#!/bin/sh\necho 1\n";

/// Each ends well, or says that the lab lacks what it asks for; and both shells make the same words of it.
fn run_as_they_stand(stage: &Stage) {
    let cluster = &stage.cluster;
    let kinds = source("tests/cluster/files/kinds.yaml");
    cluster.serve(&kinds);
    let objects = source("tests/cluster/files/remedies.yaml");
    cluster.apply(&objects);
    for (kind, name) in [("deployments", NAME), ("daemonsets", NAME)] {
        cluster.rolled_out(NAMESPACE, kind, name);
    }
    // There is something to go back to.
    let newer = json!({"spec": {"template": {"metadata": {"annotations": {"revision": "2"}}}}});
    let set = format!("/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{NAME}");
    cluster.api().patch(&set, &newer);
    cluster.rolled_out(NAMESPACE, "daemonsets", NAME);
    cluster.pod_ready(NAMESPACE, NAME);
    until("the kubelet of n1 has its lease", secs(60), || {
        cluster.api().get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1")
    });

    let folder = cluster.lab.folder().join("remedies");
    fs::create_dir_all(&folder).expect("the lab's folder can be written");
    let kubectl = STAND_IN
        .replace("@IMAGE@", image::BUSYBOX)
        .replace("@NAMESPACE@", NAMESPACE)
        .replace("@KUBECTL@", &cluster.tools.path("kubectl"))
        .replace("@CONFIG@", &cluster.kubeconfig())
        // Its own: another scenario's kubectl may remember kinds that were there then.
        .replace("@CACHE@", &folder.join("cache").display().to_string());
    for (name, script) in [("kubectl", &*kubectl), ("date", CLOCK)] {
        let file = folder.join(name);
        fs::write(&file, script).expect("the lab's folder can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    let mut commands = commands();
    commands.extend(of_runbooks());
    let dns =
        cluster.pods("kube-system", "k8s-app=kube-dns").unwrap_or_else(|error| panic!("{error}"));
    let [pod, ip] = [&dns[0]["metadata"]["name"], &dns[0]["status"]["podIP"]];
    let [pod, ip] = [pod, ip].map(|value| value.as_str().expect("it is ready"));
    let names = [
        ("NAMESPACE", NAMESPACE),
        ("NAME", NAME),
        ("NODE", "n1"),
        ("POD", NAME),
        ("SERVICE", NAME),
        ("INGRESS", NAME),
        ("CERTIFICATE", NAME),
        ("GATEWAY", NAME),
        ("POLICY", NAME),
        ("CONTROLLER", NAME),
        ("CONTROLLER_NAMESPACE", NAMESPACE),
        ("PROXY_POD", pod),
        ("CNI_POD", pod),
        ("POD_IP", ip),
        ("ACCOUNT", "default"),
        ("SOURCE", "pods"),
        ("SELECTOR", "app=it"),
        ("DEPLOYMENT", NAME),
        ("REPLICAS", "2"),
        ("CONTAINER", "coredns"),
    ];
    let names = names.map(|(name, value)| format!("{name}={value}"));
    let shown = [&names[..], &["ONLY_SHOW=1".to_owned()]].concat();
    let mut wrong = Vec::new();
    for (command, code) in &commands {
        let said = until("a restart is a second after the last", secs(30), || {
            let said = paste("bash", &folder, &names, command).err();
            let again = "already been triggered within the past second";
            let early = said.as_ref().is_some_and(|said| said.contains(again));
            if early { Err(again.to_owned()) } else { Ok(said) }
        });
        if let Some(said) = said.filter(|said| !is_missing(command, said)) {
            wrong.push(format!("{code}: {command}\n{said}"));
        }
        let words = |shell| paste(shell, &folder, &shown, command).ok();
        if words("bash") != words("zsh") {
            wrong.push(format!("{code}: in zsh it has other words: {command}"));
        }
    }
    println!("    {} commands", commands.len());
    // kubectl ends well whatever became of what it ran on the node.
    for pod in cluster.pods("default", DEBUGGERS).unwrap_or_else(|error| panic!("{error}")) {
        let (phase, containers) = (&pod["status"]["phase"], &pod["spec"]["containers"]);
        if *phase != "Succeeded" {
            let status = &pod["status"]["containerStatuses"][0]["state"];
            wrong.push(format!("{phase}: {}: {status}", containers[0]["command"]));
        }
    }
    cluster.kubectl(&["delete", "pods", "-n", "default", "-l", DEBUGGERS]);
    cluster.delete(&objects);
    cluster.delete(&kinds);
    assert!(wrong.is_empty(), "{} fail:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Every command, with the code that it is first found at.
fn commands() -> BTreeMap<String, &'static str> {
    let mut commands = BTreeMap::new();
    for code in check::ALL.iter().flat_map(|check| check.codes) {
        for kind in code.subjects {
            let found = finding(code, kind);
            let filled: Vec<String> = remedy::commands(&found).map(|(_, filled)| filled).collect();
            assert_eq!(filled.len(), code.remedies.len(), "{}: a hole is not filled", code.id);
            commands.extend(filled.into_iter().map(|command| (command, code.id)));
        }
    }
    commands
}

/// The commands in the blocks of the runbooks, with their names; what is for a node's own shell is left out.
fn of_runbooks() -> impl Iterator<Item = (String, &'static str)> {
    runbooks::ALL.iter().flat_map(|(name, text)| {
        let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        let lines = blocks.flat_map(str::lines).map(str::trim);
        let called =
            lines.filter(|line| line.starts_with("kubectl ") && !line.contains("port-forward"));
        called.map(|line| (line.to_owned(), *name))
    })
}

fn finding(code: &'static Code, kind: &'static Kind) -> Finding {
    let key = match kind {
        kind if kind == Node::KIND => Key::new("", "n1"),
        kind if kind == Namespace::KIND => Key::new("", NAMESPACE),
        _ => Key::new(NAMESPACE, NAME),
    };
    let finding = Finding::about(code, Object { kind, key }, "").on(&"n1".into());
    remedy::HOLES.iter().fold(finding, |finding, hole| {
        let value = match *hole {
            "namespace" | "name" | "node" => return finding,
            "own" => NAMESPACE,
            "selector" => "app=it",
            "replicas" => "2",
            hole if hole.ends_with("namespace") => NAMESPACE,
            hole if hole.ends_with("owner") => "deployment/it",
            hole if hole.ends_with("_node") => "n1",
            "container" => "coredns",
            "policy" | "controller_policy" => POLICY,
            "routes" => kind.plural,
            "pools" => "ipaddresspools.metallb.io",
            _ => NAME,
        };
        finding.with(hole, Some(value))
    })
}

/// Runs a command in a shell that finds `folder`'s programs first.
fn paste(shell: &str, folder: &Path, names: &[String], command: &str) -> Result<String, String> {
    let path = format!("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", folder.display());
    let mut words = vec!["env", &path];
    words.extend(names.iter().map(String::as_str));
    words.extend(["timeout", "90", shell, "-c", command]);
    // The end tells an answer without a word from one with words.
    try_run(&words).map_err(|said| said.trim_end().to_owned() + " \0")
}

fn is_missing(command: &str, said: &str) -> bool {
    MISSING
        .iter()
        .any(|(word, says)| command.split(' ').any(|it| it.contains(word)) && said.contains(says))
}
