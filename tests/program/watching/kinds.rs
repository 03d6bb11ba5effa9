//! Kinds that a cluster may lack, that are their own wire type, that are folded, that share a name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use kube::Client;
use netvitals::check::{Check, Layer};
use netvitals::cluster::{Change, Clock, Folded, Settings};
use netvitals::model::{Fact, Key, Kind, Scope, Skipped, Unanswered, Unknown};
use netvitals::owner::Owner;
use netvitals::page::{Format, write};
use netvitals::sim::api::Api;
use netvitals::task::{self, Task};
use netvitals::watch::{self, Counters, Plain, Watch};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{ServiceExt, service_fn};

/// A custom resource, read as it stands.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Gateway {
    spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    gateway_class_name: Option<String>,
}

impl Fact for Gateway {
    const KIND: &'static Kind = &Kind {
        group: "gateway.networking.k8s.io",
        versions: &["v1", "v1beta1"],
        optional: true,
        ..Kind::new("Gateway", "gateways")
    };
}

impl Plain for Gateway {}

/// Another kind of the same name.
#[derive(Clone, Debug, Default, Deserialize)]
struct IstioGateway {}

impl Fact for IstioGateway {
    const KIND: &'static Kind = &Kind {
        label: "IstioGateway",
        group: "networking.istio.io",
        optional: true,
        ..Kind::new("Gateway", "gateways")
    };
}

impl Plain for IstioGateway {}

/// An event: what it is about counts, and how often.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Occurrence {
    reason: String,
}

impl Fact for Occurrence {
    const KIND: &'static Kind = &Kind { group: "events.k8s.io", ..Kind::new("Event", "events") };
}

impl Plain for Occurrence {}

/// How many reasons are told apart.
const MOST: usize = 2;

impl Folded for Occurrence {
    type Memory = BTreeMap<String, usize>;

    fn fold(memory: &mut Self::Memory, _: Key, fact: Option<Self>, _: Clock) {
        let reason = fact.map_or_else(|| "undecoded".to_owned(), |fact| fact.reason);
        let known = memory.contains_key(&reason) || memory.len() < MOST;
        *memory.entry(if known { reason } else { "other".to_owned() }).or_default() += 1;
    }
}

/// The one object of a name.
#[derive(Clone, Debug, Default, Deserialize)]
struct ConfigMap {}

impl Fact for ConfigMap {
    const KIND: &'static Kind =
        &Kind { only: Some("this-one"), ..Kind::new("ConfigMap", "configmaps") };
}

impl Plain for ConfigMap {}

static KINDS: [Watch; 4] = [
    Watch::plain::<Gateway>(),
    Watch::plain::<IstioGateway>(),
    Watch::folded::<Occurrence>(),
    Watch::plain::<ConfigMap>(),
];

static CHECK: Check = Check {
    id: "gateways",
    layer: Layer::Service,
    question: "",
    runbook: "",
    needs: &[],
    wants: &[Gateway::KIND, IstioGateway::KIND, Occurrence::KIND],
    families: &[],
    codes: &[],
    run: |_, _| Ok(()),
};

static CHECKS: &[&Check] = &[&CHECK];

/// A simulated API server, and what comes of it.
struct Trial {
    api: Api,
    owner: Owner,
    changes: Receiver<Change>,
    counts: Arc<Counters>,
    tasks: Vec<Task>,
    start: Instant,
    asked: Arc<Mutex<Vec<String>>>,
    /// What discovery answers instead.
    broken: Arc<Mutex<Option<StatusCode>>>,
}

fn trial() -> Trial {
    let stop = CancellationToken::new();
    let api = Api::new(stop.clone());
    api.install(Occurrence::KIND, "v1");
    api.install(ConfigMap::KIND, "v1");
    let (asked, broken) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
    let (log, breaks): (_, Arc<Mutex<Option<StatusCode>>>) = (asked.clone(), Arc::clone(&broken));
    let routes = api.routes();
    let server = service_fn(move |request: Request<kube::client::Body>| {
        log.lock().expect("no panic").push(request.uri().to_string());
        let code = *breaks.lock().expect("no panic");
        let code = code.filter(|_| {
            request.uri().path().starts_with("/apis") && request.uri().path().split('/').count() < 5
        });
        let routes = routes.clone();
        async move {
            match code {
                Some(code) => {
                    let mut answer = Response::new(Body::empty());
                    *answer.status_mut() = code;
                    Ok(answer)
                }
                None => routes.oneshot(request.map(Body::new)).await,
            }
        }
    });
    let client = Client::new(server, "default");
    let (sender, changes) = mpsc::channel(16);
    let (tasks, counts) = watch::run(&KINDS, &client, &sender, &TaskTracker::new(), &stop);
    let owner = Owner::new(CHECKS, Settings::default());
    Trial { api, owner, changes, counts, tasks, start: Instant::now(), asked, broken }
}

impl Trial {
    /// Goes on until so many seconds after the start, and returns the last page.
    async fn until(&mut self, seconds: u64) -> String {
        let end = self.start + Duration::from_secs(seconds);
        let mut ticks = interval_at(Instant::now(), Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut page = String::new();
        while Instant::now() < end {
            tokio::select! {
                Some(change) = self.changes.recv() => { self.owner.step(change); }
                _ = ticks.tick() => {
                    assert_eq!(task::silent(&self.tasks), None);
                    let now = Clock { uptime: self.start.elapsed(), ..Clock::default() };
                    let tick = Change::Tick { now, spent: Duration::ZERO };
                    if let Some(report) = self.owner.step(tick) {
                        page = write(&[report.rows(), &self.counts.rows()], Format::Text);
                    }
                }
                () = sleep_until(end) => {}
            }
        }
        page
    }

    fn gateways(&self) -> Result<Vec<Option<String>>, Unanswered> {
        let gateways = self.owner.cluster().read::<Gateway>()?;
        Ok(gateways.iter().map(|(_, fact)| fact.spec.gateway_class_name.clone()).collect())
    }

    fn put(&self, class: &str) {
        let object = json!({
            "kind": "Gateway", "apiVersion": "gateway.networking.k8s.io/v1",
            "metadata": { "namespace": "shop", "name": "a", "annotations": { "a": "b" } },
            "spec": { "gatewayClassName": class },
        });
        self.api.put(object).expect("it is served");
    }

    fn asked_for(&self, what: &str) -> usize {
        self.asked.lock().expect("no panic").iter().filter(|uri| uri.contains(what)).count()
    }
}

const NOT_INSTALLED: Unanswered = Unanswered::Skipped(Skipped::NotInstalled);

#[tokio::test(start_paused = true)]
async fn an_optional_kind_that_is_not_there_has_no_series_and_no_requests() {
    for aggregated in [true, false] {
        let mut trial = trial();
        if !aggregated {
            trial.api.refuse_aggregated_discovery();
        }
        let page = trial.until(1200).await;
        assert_eq!(trial.gateways(), Err(NOT_INSTALLED));
        assert!(!page.contains("Gateway"), "{page}");
        assert!(page.contains(r#"netvitals_source_up{source="Event"} 1"#), "{page}");
        assert_eq!(trial.asked_for("gateways"), 0);
        let discoveries = trial.asked.lock().unwrap().iter().filter(|uri| *uri == "/apis").count();
        assert!((8..=14).contains(&discoveries), "{discoveries}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_optional_kind_is_followed_from_when_it_appears_until_it_vanishes() {
    for aggregated in [true, false] {
        let mut trial = trial();
        if !aggregated {
            trial.api.refuse_aggregated_discovery();
        }
        trial.until(60).await;
        trial.api.install(Gateway::KIND, "v1beta1");
        trial.put("blue");
        let page = trial.until(60 + 150).await;
        assert_eq!(trial.gateways().unwrap(), [Some("blue".to_owned())]);
        assert!(page.contains(r#"netvitals_source_up{source="Gateway"} 1"#), "{page}");
        assert!(page.contains(r#"netvitals_watch_restarts_total{kind="Gateway"} 0"#), "{page}");
        assert!(!page.contains("IstioGateway"), "the other kind of that name: {page}");
        assert!(trial.asked_for("/v1beta1/gateways") > 0);

        trial.api.install(Gateway::KIND, "v1");
        trial.put("green");
        trial.until(60 + 300).await;
        assert_eq!(trial.gateways().unwrap(), [Some("green".to_owned())]);
        assert!(trial.asked_for("/v1/gateways") > 0, "the preferred version");

        trial.api.uninstall(Gateway::KIND);
        let page = trial.until(60 + 360).await;
        assert_eq!(trial.gateways(), Err(NOT_INSTALLED), "soon, as its watch was refused");
        assert!(!page.contains(r#"netvitals_source_up{source="Gateway"}"#), "{page}");
        let asked = trial.asked_for("gateways");
        trial.until(60 + 900).await;
        assert_eq!(trial.asked_for("gateways"), asked, "no more requests");
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_that_fails_makes_no_kind_absent() {
    for code in [503, 404, 200] {
        let mut trial = trial();
        let code = StatusCode::from_u16(code).unwrap();
        *trial.broken.lock().unwrap() = Some(code);
        trial.until(300).await;
        assert_eq!(trial.gateways(), Err(Unknown::NotListed("Gateway").into()), "{code}");
        *trial.broken.lock().unwrap() = None;
        trial.api.install(Gateway::KIND, "v1");
        trial.put("blue");
        trial.until(400).await;
        assert_eq!(trial.gateways().unwrap().len(), 1, "{code}");
        *trial.broken.lock().unwrap() = Some(code);
        trial.until(1200).await;
        assert_eq!(trial.gateways().unwrap().len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_kinds_of_one_name_are_told_apart() {
    let mut trial = trial();
    trial.api.install(Gateway::KIND, "v1");
    trial.api.install(IstioGateway::KIND, "v1");
    trial.put("blue");
    let page = trial.until(60).await;
    for (label, objects) in [("Gateway", 1), ("IstioGateway", 0)] {
        let series = format!("netvitals_watched_objects{{kind=\"{label}\"}} {objects}\n");
        assert!(page.contains(&series), "{page}");
    }
    assert_eq!(Gateway::KIND.scope, Scope::Namespaced);
}

#[tokio::test(start_paused = true)]
async fn a_folded_kind_keeps_a_memory_and_no_object() {
    let mut trial = trial();
    for n in 0..100 {
        let reason = ["Killing", "Pulled", "BackOff", "Started"][n % 4];
        let metadata = json!({ "namespace": "shop", "name": format!("a.{n}") });
        trial.api.put(json!({ "kind": "Event", "metadata": metadata, "reason": reason })).unwrap();
    }
    let page = trial.until(30).await;
    let memory = trial.owner.cluster().remember::<Occurrence>().unwrap();
    let expected = [("Killing", 25), ("Pulled", 25), ("other", 50)];
    assert_eq!(*memory, expected.map(|(reason, count)| (reason.to_owned(), count)).into());
    assert!(page.contains(r#"netvitals_source_up{source="Event"} 1"#), "{page}");
    assert!(!page.contains(r#"netvitals_watched_objects{kind="Event"}"#), "none is kept: {page}");
    trial.api.forbid("Event", true);
    trial.until(90).await;
    let remembered = trial.owner.cluster().remember::<Occurrence>().err();
    assert_eq!(remembered, Some(Unknown::Forbidden("Event").into()));
}

#[tokio::test(start_paused = true)]
async fn of_a_kind_with_one_name_only_that_object_is_asked_for() {
    let mut trial = trial();
    trial.until(90).await;
    let all = trial.asked_for("/api/v1/configmaps");
    assert!(all >= 4, "{all}");
    assert_eq!(trial.asked_for("fieldSelector=metadata.name%3Dthis-one"), all);
}
