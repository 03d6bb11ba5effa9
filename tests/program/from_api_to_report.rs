//! From the API's JSON to the report, through the real client and without a socket.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use kube::Client;
use netvitals::check::Check;
use netvitals::check::service::endpoint_mismatch;
use netvitals::cluster::{Change, Clock, Settings};
use netvitals::model::{Unanswered, Unknown};
use netvitals::owner::Owner;
use netvitals::page::{Format, write};
use netvitals::report::Report;
use netvitals::role::cluster;
use netvitals::watch;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Objects = Arc<[(&'static str, Value)]>;

/// An API server that lists `objects` by path, page by page, whose watches stay silent, and
/// that forbids the rest.
async fn answer(State(objects): State<Objects>, request: Request) -> Response {
    // Later than the role's first tick, whose report therefore knows nothing.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let uri = request.uri();
    let has = |what: &str| uri.query().is_some_and(|query| query.contains(what));
    match objects.iter().find(|(path, _)| *path == uri.path()) {
        Some(_) if has("sendInitialEvents=") => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        Some(_) if has("watch=") => {
            Body::from_stream(futures::stream::pending::<std::io::Result<Bytes>>()).into_response()
        }
        Some((_, items)) => {
            Json(json!({ "metadata": { "resourceVersion": "1" }, "items": items })).into_response()
        }
        None => {
            let status = json!({ "kind": "Status", "status": "Failure", "code": 403 });
            (StatusCode::FORBIDDEN, Json(status)).into_response()
        }
    }
}

/// Follows every kind for as long as it takes to be sure that one is forbidden.
async fn report(objects: impl Into<Objects>) -> (Report, String) {
    let router = Router::new().fallback(answer).with_state(objects.into());
    let client = Client::new(router, "default");
    let (sender, mut changes) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let (_, counts) = watch::run_all(&client, &sender, &TaskTracker::new(), &stop);
    static CHECKS: &[&Check] = &[&endpoint_mismatch::CHECK];
    let mut owner = Owner::new(CHECKS, Settings::default());
    let sure = Instant::now() + Duration::from_secs(15);
    while let Ok(Some(change)) = timeout_at(sure, changes.recv()).await {
        assert!(owner.step(change).is_none());
    }
    let report = owner.step(Change::Tick { now: Clock::default(), spent: Duration::ZERO });
    (report.expect("the first tick brings a report"), write(&[&counts.rows()], Format::Text))
}

const SERVICES: &str = "/api/v1/services";
const NODES: &str = "/api/v1/nodes";
const PODS: &str = "/api/v1/pods";
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

fn service() -> Value {
    json!([{
        "metadata": { "namespace": "shop", "name": "cart" },
        "spec": { "selector": { "app": "cart" } },
    }])
}

fn pod() -> Value {
    json!([{
        "metadata": { "namespace": "shop", "name": "cart-1", "labels": { "app": "cart" } },
        "status": {
            "podIPs": [{ "ip": "10.244.1.7" }],
            "conditions": [{ "type": "Ready", "status": "True" }],
        },
    }])
}

#[tokio::test(start_paused = true)]
async fn a_ready_pod_without_an_endpoint_is_found() {
    let (report, _) =
        report([(SERVICES, service()), (PODS, pod()), (SLICES, json!([])), (NODES, json!([]))])
            .await;
    let found = &report.answers[0].pending[0].finding;
    assert_eq!(
        (found.code.id, &*found.subject.to_string()),
        ("endpoint_mismatch.missing", "Service shop/cart")
    );
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_slice_is_counted_and_blurs_only_its_namespace() {
    let bad = json!([{ "metadata": { "namespace": "shop", "name": "bad" }, "endpoints": 7 }]);
    let (report, page) =
        report([(SERVICES, service()), (PODS, pod()), (SLICES, bad), (NODES, json!([]))]).await;
    let gaps: &[(_, Unanswered)] = &[("namespaces", Unknown::Undecoded("EndpointSlice").into())];
    assert_eq!(report.answers[0].gaps, gaps);
    assert!(page.contains(r#"netvitals_decode_errors_total{kind="EndpointSlice"} 1"#), "{page}");
    assert!(page.contains(r#"netvitals_decode_errors_total{kind="Pod"} 0"#), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_kind_is_unknown() {
    let (report, _) =
        report([(SERVICES, service()), (SLICES, json!([])), (NODES, json!([]))]).await;
    assert_eq!(report.answers[0].result, Err(Unknown::Forbidden("Pod").into()));
}

#[tokio::test]
async fn the_role_serves_its_report_and_ends_when_asked() {
    let objects: Objects =
        [(SERVICES, service()), (PODS, pod()), (SLICES, json!([])), (NODES, json!([]))].into();
    let client = Client::new(Router::new().fallback(answer).with_state(objects), "default");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let options = cluster::Options {
        settings: Settings::default(),
        agents: Vec::new(),
        pull_interval: Duration::from_secs(15),
    };
    let role = tokio::spawn(cluster::run(options, client, listener, stop.clone()));
    let answered = r#"netvitals_check_answered{layer="service",check="endpoint_mismatch"} 1"#;
    let scraped = async {
        loop {
            let mut stream = TcpStream::connect(target).await.unwrap();
            let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            if page.contains(answered) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), scraped).await.expect("the check is answered");
    stop.cancel();
    timeout(Duration::from_secs(5), role).await.expect("the role ends").unwrap().unwrap();
}
