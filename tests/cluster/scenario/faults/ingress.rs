//! The stand-in for an ingress data plane.

use serde_json::{Value, json};

use super::web;
use crate::cluster::Cluster;
use crate::plan::INGRESS_IP;
use crate::scenario::{Scenario, any};
use crate::wait::{holds, secs, until};

pub(in crate::scenario) const ALL: &[Scenario] =
    &[any("bed_ingress_forwarded", |stage| ingress_forwarded(&stage.cluster))];

const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";

/// It forwards to an Ingress's backends, says where it is, and is gone with that.
fn ingress_forwarded(cluster: &Cluster) {
    let n3 = cluster.node("n3");
    let _ = web(cluster, "n3");
    let backend = json!({"service": {"name": "web", "port": {"name": "http"}}});
    let none = json!({"service": {"name": "nobody", "port": {"number": 80}}});
    let paths = json!([
        {"path": "/index.html", "pathType": "Exact", "backend": backend},
        {"path": "/nobody", "pathType": "Prefix", "backend": none},
    ]);
    let spec = json!({"rules": [{"host": "web.example", "http": {"paths": paths}}]});
    cluster.api().create(INGRESSES, &json!({"metadata": {"name": "web"}, "spec": spec}));
    let path = format!("{INGRESSES}/web");
    let published = || -> Value {
        cluster.api().get(&path).unwrap()["status"]["loadBalancer"]["ingress"].clone()
    };
    // The status of an answer, as a client on a node gets it; 000 is none.
    let asked = |host: &str, path: &str| -> String {
        let (host, url) = (format!("Host: {host}"), format!("http://{INGRESS_IP}{path}"));
        let words =
            ["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", "-H", &host, &url];
        n3.try_run(&words).unwrap_or_else(|_| "000".into())
    };
    assert_eq!(asked("web.example", "/index.html"), "000");
    let proxy = cluster.ingress_proxy();
    assert_eq!(published(), json!([{"ip": INGRESS_IP}]));
    let answers = |what: &str, wanted: &str| {
        until(what, secs(60), || {
            proxy.sync();
            let said = asked("web.example", "/index.html");
            holds(said == wanted, || said)
        });
    };
    // That pods are ready, their slice may say a moment later.
    answers("the proxy knows the pods", "200");
    assert_eq!(asked("web.example", "/other"), "404");
    assert_eq!(asked("web.example", "/nobody"), "503");
    assert_eq!(asked("other.example", "/index.html"), "404");
    cluster.kubectl(&["scale", "deployment/web", "--replicas=0"]);
    answers("the proxy knows that no pod is left", "503");
    cluster.kubectl(&["scale", "deployment/web", "--replicas=3"]);
    answers("the proxy knows the new pods", "200");
    drop(proxy);
    assert_eq!(asked("web.example", "/index.html"), "000");
    assert_eq!(published(), Value::Null);
    cluster.api().delete(&path, true);
    cluster.rolled_out("default", "deployments", "web");
}
