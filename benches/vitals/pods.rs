//! The API server of the bench: 100,000 pods of about 8 KB, made while they are sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::child::do_not_stay;

/// How many pods there are.
pub(crate) const PODS: usize = 100_000;

/// How many of them change after the list.
pub(crate) const EVENTS: usize = 20_000;

/// How long that takes.
pub(crate) const EVENTS_TAKE: Duration = Duration::from_secs(10);

const NAMESPACES: usize = 200;
const NODES: usize = 1000;

/// Pods in one piece of a streamed body.
const PIECE: usize = 8;

/// What stands for a pod's own words in the text of all of them.
const HOLES: [&str; 8] =
    ["@NAME@", "@NAMESPACE@", "@UID@", "@VERSION@", "@NODE@", "@IP@", "@APP@", "@UNIQUE@"];

struct Served {
    /// The text of all pods: between two pieces of text comes a word of the pod.
    pieces: Vec<(String, Option<usize>)>,
    /// In the order in which an API server lists them.
    names: Vec<(String, String)>,
    streams: bool,
    changed: AtomicBool,
}

/// Serves on a port of its own, which it prints, until its parent ends.
pub(crate) fn serve(streams: bool) {
    do_not_stay();
    let served = Served::new(streams);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("it is bound"));
        let routes = Router::new().fallback(answer).with_state(Arc::new(served));
        axum::serve(listener, routes).await.expect("it serves until it is ended");
    });
}

async fn answer(
    State(served): State<Arc<Served>>,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let of_pods = uri.path() == "/api/v1/pods";
    let seconds = query.get("timeoutSeconds").and_then(|text| text.parse().ok()).unwrap_or(30);
    let quiet = stream::once(sleep(Duration::from_secs(seconds))).filter_map(async |()| None);
    match (query.contains_key("watch"), query.contains_key("sendInitialEvents")) {
        (true, true) if !served.streams => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        (true, true) => {
            let mark = json!({ "type": "BOOKMARK", "object": { "kind": "Pod", "metadata": {
                "resourceVersion": "1000000",
                "annotations": { "k8s.io/initial-events-end": "true" },
            } } });
            let count = if of_pods { PODS } else { 0 };
            let all = stream::iter((0..count).step_by(PIECE)).map(move |first| {
                let mut piece = String::with_capacity(PIECE * 9000);
                (first..(first + PIECE).min(count))
                    .for_each(|at| served.event("ADDED", at, at, &mut piece));
                Some(piece)
            });
            let mark = stream::once(async move { Some(format!("{mark}\n")) });
            body(all.chain(mark).chain(quiet))
        }
        (true, false) if of_pods && !served.changed.swap(true, Ordering::Relaxed) => {
            let ticks = 1000;
            let events = stream::iter(0..ticks).then(move |tick| {
                let served = served.clone();
                async move {
                    sleep(EVENTS_TAKE / ticks).await;
                    let mut piece = String::new();
                    let each = EVENTS / ticks as usize;
                    for at in (0..each).map(|n| tick as usize * each + n) {
                        // Spread over all of them, and one after the other.
                        served.event("MODIFIED", at * 7919 % PODS, 1_000_001 + at, &mut piece);
                    }
                    Some(piece)
                }
            });
            body(events.chain(quiet))
        }
        (true, false) => body(quiet),
        _ if of_pods => {
            let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
            let first = number("continue").unwrap_or(0);
            let end = (first + number("limit").unwrap_or(PODS)).min(PODS);
            let next = if end < PODS { end.to_string() } else { String::new() };
            let metadata = json!({ "resourceVersion": "1000000", "continue": next });
            let mut page = format!(r#"{{"kind":"PodList","metadata":{metadata},"items":["#);
            for at in first..end {
                if at > first {
                    page.push(',');
                }
                served.pod(at, at, &mut page);
            }
            page.push_str("]}");
            page.into_response()
        }
        _ => Json(json!({ "metadata": { "resourceVersion": "1000000" }, "items": [] }))
            .into_response(),
    }
}

fn body(pieces: impl futures::Stream<Item = Option<String>> + Send + 'static) -> Response {
    let bytes = pieces
        .filter_map(async |piece| piece.map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece))));
    Body::from_stream(bytes).into_response()
}

/// Returns the length of a pod as JSON.
pub(crate) fn size() -> usize {
    let mut text = String::new();
    Served::new(true).pod(0, 1, &mut text);
    text.len()
}

impl Served {
    fn new(streams: bool) -> Self {
        let pieces = pieces(&template().to_string());
        Self { pieces, names: names(), streams, changed: AtomicBool::new(false) }
    }

    fn event(&self, ty: &str, at: usize, version: usize, text: &mut String) {
        text.push_str(r#"{"type":""#);
        text.push_str(ty);
        text.push_str(r#"","object":"#);
        self.pod(at, version, text);
        text.push_str("}\n");
    }

    fn pod(&self, at: usize, version: usize, text: &mut String) {
        let (namespace, name) = &self.names[at];
        let app = name.rsplit_once('-').map_or(&**name, |(app, _)| app);
        // One pod in ten belongs to a StatefulSet or a Job: it has a label that no other has.
        let unique = if at.is_multiple_of(10) { name } else { "-" };
        let words = [
            name,
            namespace,
            &format!("{at:08x}-d9cb-469f-a165-{version:012x}"),
            &version.to_string(),
            &format!("ip-10-{}-{}.internal", at % NODES / 256, at % NODES % 256),
            &format!("10.{}.{}.{}", 100 + at / 65_536, at / 256 % 256, at % 256),
            app,
            unique,
        ];
        for (piece, hole) in &self.pieces {
            text.push_str(piece);
            text.push_str(hole.map_or("", |hole| words[hole]));
        }
    }
}

fn pieces(template: &str) -> Vec<(String, Option<usize>)> {
    let mut pieces = Vec::new();
    let mut rest = template;
    loop {
        let found = HOLES.iter().enumerate().filter_map(|(n, hole)| Some((rest.find(hole)?, n)));
        let Some((at, hole)) = found.min() else {
            pieces.push((rest.to_owned(), None));
            return pieces;
        };
        pieces.push((rest[..at].to_owned(), Some(hole)));
        rest = &rest[at + HOLES[hole].len()..];
    }
}

/// Returns namespaces and names, sorted: twenty pods to a workload.
fn names() -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = (0..PODS)
        .map(|n| {
            let (namespace, workload) = (n % NAMESPACES, n / NAMESPACES / 20);
            // As random as the names of a ReplicaSet's pods look, and the same in every run.
            let hash = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
            let name =
                format!("checkout-service-{workload:02}-6d5f8c7b9-{:07x}", hash & 0xfff_ffff);
            (format!("team-{namespace:03}-production"), name)
        })
        .collect();
    names.sort_unstable();
    names
}

/// Returns a pod as an API server sends it, with the fields that make up its size.
fn template() -> Value {
    let container = |name: &str, port: u16| {
        json!({
            "name": name,
            "image": format!("registry.example.internal/team/{name}:v2.31.4"),
            "imagePullPolicy": "IfNotPresent",
            "args": ["--config=/etc/config/app.yaml", "--log.level=info", "--listen=:8080"],
            "env": (0..5).map(|n| json!({
                "name": format!("SETTING_NUMBER_{n}"), "value": format!("the value of setting {n}"),
            })).collect::<Vec<_>>(),
            "ports": [{ "name": format!("{name}-http"), "containerPort": port, "protocol": "TCP" }],
            "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
            "livenessProbe": { "httpGet": { "path": "/livez", "port": port, "scheme": "HTTP" },
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 },
            "readinessProbe": { "httpGet": { "path": "/readyz", "port": port, "scheme": "HTTP" },
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 },
            "volumeMounts": [{ "name": "config", "readOnly": true, "mountPath": "/etc/config" },
                { "name": "kube-api-access", "readOnly": true,
                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount" }],
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "securityContext": { "capabilities": { "drop": ["ALL"] }, "runAsNonRoot": true,
                "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false },
        })
    };
    let state = |name: &str| {
        json!({
            "name": name, "ready": true, "started": true, "restartCount": 0, "lastState": {},
            "state": { "running": { "startedAt": "2026-07-01T12:00:07Z" } },
            "image": format!("registry.example.internal/team/{name}:v2.31.4"),
            "imageID": format!("registry.example.internal/team/{name}@sha256:{}", "7".repeat(64)),
            "containerID": format!("containerd://{}", "5".repeat(64)),
        })
    };
    let condition = |ty: &str| {
        json!({ "type": ty, "status": "True", "observedGeneration": 1, "lastProbeTime": null,
            "lastTransitionTime": "2026-07-01T12:00:07Z" })
    };
    let conditions =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
            .map(condition);
    let field = |name: String| json!({ (name): { ".": {}, "f:name": {}, "f:value": {}, "f:mountPath": {} } });
    let managed = |manager: &str, fields: usize| {
        json!({
            "manager": manager, "operation": "Update", "apiVersion": "v1",
            "time": "2026-07-01T12:00:07Z", "fieldsType": "FieldsV1",
            "fieldsV1": { "f:metadata": (0..fields).map(|n| field(format!("k:{{\"name\":\"SETTING_NUMBER_{n}\"}}"))).collect::<Vec<_>>() },
        })
    };
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": "@NAME@", "generateName": "@APP@-", "namespace": "@NAMESPACE@", "uid": "@UID@",
            "resourceVersion": "@VERSION@", "generation": 1, "creationTimestamp": "2026-07-01T12:00:00Z",
            "labels": { "app.kubernetes.io/name": "@APP@", "app.kubernetes.io/part-of": "shop",
                "app.kubernetes.io/managed-by": "Helm", "pod-template-hash": "6d5f8c7b9",
                "statefulset.kubernetes.io/pod-name": "@UNIQUE@" },
            "annotations": { "prometheus.io/scrape": "true", "prometheus.io/port": "8080",
                "checksum/config": "4".repeat(64), "kubectl.kubernetes.io/restartedAt": "2026-07-01T12:00:00Z" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "@APP@",
                "uid": "0f8fad5b-d9cb-469f-a165-70867728950e", "controller": true, "blockOwnerDeletion": true }],
            "managedFields": [managed("kube-controller-manager", 14), managed("kubelet", 8)],
        },
        "spec": {
            "volumes": [{ "name": "config", "configMap": { "name": "checkout-config", "defaultMode": 420 } },
                { "name": "kube-api-access", "projected": { "defaultMode": 420, "sources": [
                    { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
                    { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } }] } }],
            "containers": [container("checkout", 8080), container("proxy", 15001)],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "checkout", "nodeName": "@NODE@", "schedulerName": "default-scheduler",
            "tolerations": [
                { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 },
                { "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }],
            "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "phase": "Running", "observedGeneration": 1, "qosClass": "Burstable",
            "conditions": conditions,
            "hostIP": "10.0.0.1", "hostIPs": [{ "ip": "10.0.0.1" }],
            "podIP": "@IP@", "podIPs": [{ "ip": "@IP@" }], "startTime": "2026-07-01T12:00:00Z",
            "containerStatuses": [state("checkout"), state("proxy")],
        },
    })
}
