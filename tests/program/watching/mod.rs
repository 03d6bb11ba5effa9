//! A kind is followed whatever the API server does: through the real client, in paused time.

mod api;
mod hostile;
mod kinds;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use netvitals::model::{EndpointSlice, Fact, Pod, Unknown};
use serde_json::json;
use tokio::time::sleep;

use self::api::{Ask, Step, What, body, event, follow, page, pod, quiet, refuse, stream};

/// For all but the test of back pressure.
const ROOM: usize = 16;

fn watch(version: u64) -> What {
    What::Watch(version.to_string())
}

fn comparison() -> What {
    What::Page { limit: 1, next: None }
}

fn first_page() -> What {
    What::Page { limit: 500, next: None }
}

/// Lists the pods `a` and `b` at version 7, and then has no news.
fn healthy(ask: &Ask) -> api::Answer {
    match &ask.what {
        What::Stream => stream(7, &["a", "b"]),
        What::Page { .. } => page(7, &["a", "b"], ""),
        What::Watch(_) => quiet(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_kind_stays_fresh_without_a_list() {
    let mut pods = follow("pods", ROOM, |_, ask| healthy(ask));
    for minute in 0..20 {
        pods.until(60 * minute + 1).await;
        assert!(pods.freshness(Pod::KIND).up, "after {minute} minutes");
    }
    let whats = pods.whats();
    assert_eq!(whats[..2], [What::Stream, watch(7)]);
    let (compared, watched): (Vec<_>, Vec<_>) =
        whats[1..].iter().partition(|what| **what == comparison());
    assert!(watched.iter().all(|what| **what == watch(7)), "{whats:?}");
    // One watch in 30 s, one comparison in a minute, and no more.
    assert!((38..=40).contains(&watched.len()), "{}", watched.len());
    assert!((18..=20).contains(&compared.len()), "{}", compared.len());
    assert_eq!(pods.count(r#"netvitals_watch_restarts_total{kind="Pod"}"#), 0);
    assert_eq!(pods.count(r#"netvitals_watch_relists_total{kind="Pod"}"#), 0);
    let watches = r#"netvitals_api_requests_total{kind="Pod",verb="watch",code="200"}"#;
    assert_eq!(pods.count(watches), 1 + watched.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_makes_the_kind_stale_and_its_return_revives_it() {
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = silent.clone();
    let mut pods = follow("pods", ROOM, move |_, ask| {
        if is_silent.load(Ordering::Relaxed) { body([Step::Hang]) } else { healthy(ask) }
    });
    pods.until(1).await;
    assert_eq!(pods.pods().unwrap(), ["a", "b"]);
    silent.store(true, Ordering::Relaxed);
    // A head with nothing after it says nothing of the kind.
    pods.until(31 + 75).await;
    assert!(!pods.freshness(Pod::KIND).up);
    pods.until(31 + 180).await;
    assert_eq!(pods.pods(), Err(Unknown::Stale("Pod").into()));
    let restarts = pods.count(r#"netvitals_watch_restarts_total{kind="Pod"}"#);
    assert!((3..=5).contains(&restarts), "{restarts}");
    silent.store(false, Ordering::Relaxed);
    pods.until(31 + 180 + 100).await;
    assert!(pods.freshness(Pod::KIND).up);
    assert_eq!(pods.count(r#"netvitals_watch_relists_total{kind="Pod"}"#), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_three_minutes_is_back_within_one() {
    let away = Arc::new(AtomicBool::new(false));
    let is_away = away.clone();
    // The restarted server has forgotten the old versions, and one of the pods is gone.
    let mut pods = follow("pods", ROOM, move |before, ask| {
        if is_away.load(Ordering::Relaxed) {
            return None;
        }
        match &ask.what {
            What::Watch(version) if before == 1 => {
                assert_eq!(version, "7");
                body([Step::Wait(5), Step::Break])
            }
            What::Watch(version) if version == "7" => {
                let gone = json!({ "kind": "Status", "message": "too old", "code": 410 });
                body([Step::Line(event("ERROR", &gone))])
            }
            What::Stream if before > 0 => stream(90, &["b", "c"]),
            What::Page { .. } => page(90, &["b", "c"], ""),
            _ => healthy(ask),
        }
    });
    pods.until(5).await;
    away.store(true, Ordering::Relaxed);
    pods.until(5 + 75).await;
    assert!(!pods.freshness(Pod::KIND).up, "down within 75 s");
    assert_eq!(pods.pods().unwrap(), ["a", "b"], "not stale yet");
    pods.until(5 + 180).await;
    assert_eq!(pods.pods(), Err(Unknown::Stale("Pod").into()));
    away.store(false, Ordering::Relaxed);
    pods.until(5 + 180 + 60).await;
    assert_eq!(pods.pods().unwrap(), ["b", "c"]);
    assert!(pods.freshness(Pod::KIND).up);
    assert_eq!(pods.count(r#"netvitals_watch_relists_total{kind="Pod"}"#), 1);
    let unanswered = r#"netvitals_api_requests_total{kind="Pod",verb="list",code="error"}"#;
    assert!((5..=20).contains(&pods.count(unanswered)), "{}", pods.count(unanswered));
}

/// Watches that end with 410 again and again: as an event of the stream, or as an HTTP status.
async fn expired(gone: fn() -> api::Answer) {
    let mut pods = follow("pods", ROOM, move |_, ask| match &ask.what {
        What::Watch(_) => gone(),
        _ => healthy(ask),
    });
    pods.until(1).await;
    let asked = pods.asked();
    let whats: Vec<&What> = asked.iter().map(|ask| &ask.what).collect();
    // The first list again goes through at once, the second waits.
    assert_eq!(whats, [&What::Stream, &watch(7), &What::Stream, &watch(7)]);
    assert!(asked[3].at < Duration::from_millis(100), "{asked:?}");
    pods.until(60).await;
    let lists = pods.whats().iter().filter(|what| **what == What::Stream).count();
    assert!((5..=8).contains(&lists), "{lists} lists in a minute");
    assert_eq!(pods.pods().expect("listed"), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_as_an_event_is_listed_again_at_once_and_then_ever_slower() {
    expired(|| {
        let status = json!({ "kind": "Status", "message": "too old", "code": 410 });
        body([Step::Line(event("ERROR", &status))])
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_as_a_status_is_listed_again_at_once_and_then_ever_slower() {
    expired(|| refuse(410, "too old")).await;
}

#[tokio::test(start_paused = true)]
async fn a_relist_keeps_the_old_objects_until_its_end_and_then_drops_what_is_gone() {
    let mut pods = follow("pods", ROOM, |before, ask| match (&ask.what, before) {
        (What::Watch(version), _) if version == "7" => refuse(410, "too old"),
        (What::Stream, 2) => body([
            Step::Line(event("ADDED", &pod("b", 8))),
            Step::Wait(20),
            Step::Line(event(
                "BOOKMARK",
                &json!({ "metadata": {
                    "resourceVersion": "9", "annotations": { "k8s.io/initial-events-end": "true" },
                } }),
            )),
        ]),
        _ => healthy(ask),
    });
    pods.until(10).await;
    assert_eq!(pods.pods().unwrap(), ["a", "b"]);
    pods.until(21).await;
    assert_eq!(pods.pods().unwrap(), ["b"]);
    assert_eq!(pods.whats().last(), Some(&watch(9)));
}

/// Lists are forbidden for so long; returns what is said of the kind after each of `moments`.
async fn forbidden(seconds: u64, moments: &[u64]) -> Vec<Result<Vec<String>, String>> {
    let mut pods = follow("pods", ROOM, move |_, ask| {
        let is_forbidden = ask.at < Duration::from_secs(seconds);
        if is_forbidden { refuse(403, "no") } else { healthy(ask) }
    });
    let mut said = Vec::new();
    for moment in moments {
        pods.until(*moment).await;
        said.push(pods.pods().map_err(|why| format!("{why:?}")));
    }
    said
}

#[tokio::test(start_paused = true)]
async fn a_starting_server_that_forbids_everything_is_not_believed() {
    let not_listed = Err(r#"Unknown(NotListed("Pod"))"#.to_owned());
    let listed = Ok(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(forbidden(5, &[1, 4, 20]).await, [not_listed.clone(), not_listed, listed]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_stays_forbidden_is_said_to_be_and_comes_back() {
    let not_listed = Err(r#"Unknown(NotListed("Pod"))"#.to_owned());
    let forbids = Err(r#"Unknown(Forbidden("Pod"))"#.to_owned());
    let listed = Ok(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(forbidden(15, &[9, 11, 60]).await, [not_listed, forbids, listed]);
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_taken_away_is_seen_at_the_next_watch_and_its_return_lists_again() {
    let mut pods = follow("pods", ROOM, |_, ask| {
        let taken = (10..60).contains(&ask.at.as_secs());
        if taken { refuse(403, "no") } else { healthy(ask) }
    });
    pods.until(29).await;
    assert!(pods.pods().is_ok(), "the open watch goes on");
    pods.until(50).await;
    assert_eq!(pods.pods(), Err(Unknown::Forbidden("Pod").into()));
    assert!(!pods.freshness(Pod::KIND).up);
    pods.until(120).await;
    assert_eq!(pods.pods().unwrap(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_every_cluster_has_and_that_is_not_there_is_unknown() {
    let mut slices = follow("endpointslices", ROOM, |_, _| refuse(404, "page not found"));
    let mut pods = follow("pods", ROOM, |_, _| refuse(404, "page not found"));
    slices.until(15).await;
    let read = slices.read::<EndpointSlice>();
    assert_eq!(read, Err(Unknown::NotListed("EndpointSlice").into()));
    pods.until(15).await;
    assert_eq!(pods.pods(), Err(Unknown::NotListed("Pod").into()));
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks_but_a_minute_at_most() {
    for (asks, least, most) in [("7", 7, 8), ("86400", 60, 61), ("soon", 1, 2)] {
        let mut pods = follow("pods", ROOM, move |before, ask| {
            if before > 0 {
                return healthy(ask);
            }
            let mut refused = refuse(429, "too many requests")?;
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(asks));
            Some(refused)
        });
        pods.until(90).await;
        let second = pods.asked()[1].clone();
        assert_eq!(second.what, What::Stream, "no reason to list in pages");
        assert!((least..=most).contains(&second.at.as_secs()), "{asks}: {second:?}");
        assert!(pods.pods().is_ok(), "{asks}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_is_listed_in_pages_from_then_on() {
    let mut pods = follow("pods", ROOM, |before, ask| match &ask.what {
        What::Stream => refuse(422, "sendInitialEvents is forbidden"),
        What::Page { next: None, .. } => page(7, &["a"], "the rest/+"),
        What::Page { .. } => page(7, &["b"], ""),
        What::Watch(_) if before == 3 => refuse(410, "too old"),
        What::Watch(_) => quiet(),
    });
    pods.until(1).await;
    assert_eq!(pods.pods().unwrap(), ["a", "b"]);
    let rest = What::Page { limit: 500, next: Some("the rest/+".to_owned()) };
    let list = [first_page(), rest, watch(7)];
    assert_eq!(pods.whats(), [vec![What::Stream], list.to_vec(), list.to_vec()].concat());
    assert!(pods.asked().iter().all(|ask| ask.at < Duration::from_secs(1)), "without a pause");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_trickles_without_an_object_has_failed_after_30_s() {
    let mut pods = follow("pods", ROOM, |_, ask| match &ask.what {
        // A byte now and then, and a bookmark, are no object.
        What::Stream => body((0..60).flat_map(|n| {
            let bookmark = event("BOOKMARK", &json!({ "metadata": { "resourceVersion": "7" } }));
            let step = if n == 0 { Step::Line(bookmark) } else { Step::Bytes(b" ") };
            [step, Step::Wait(1)]
        })),
        What::Page { limit: 500, .. } => {
            body((0..60).flat_map(|_| [Step::Bytes(b" "), Step::Wait(1)]))
        }
        _ => healthy(ask),
    });
    pods.until(29).await;
    assert_eq!(pods.whats(), [What::Stream]);
    pods.until(100).await;
    let fewer = What::Page { limit: 50, next: None };
    assert_eq!(pods.whats()[..4], [What::Stream, first_page(), fewer, watch(7)]);
    assert_eq!(pods.pods().unwrap(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_goes_on_may_take_its_time() {
    let names: Vec<String> = (0..20).map(|n| format!("pod-{n:02}")).collect();
    let expected = names.clone();
    let mut pods = follow("pods", ROOM, move |_, ask| match &ask.what {
        What::Stream => {
            let added = names
                .iter()
                .flat_map(|name| [Step::Wait(10), Step::Line(event("ADDED", &pod(name, 1)))]);
            let mark = json!({ "metadata": {
                "resourceVersion": "7", "annotations": { "k8s.io/initial-events-end": "true" },
            } });
            body(added.chain([Step::Line(event("BOOKMARK", &mark))]))
        }
        _ => healthy(ask),
    });
    pods.until(210).await;
    assert_eq!(pods.pods().unwrap(), expected);
    assert_eq!(pods.whats()[..2], [What::Stream, watch(7)]);
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_object_blurs_its_namespace_until_it_changes() {
    let bad = json!({
        "metadata": { "namespace": "shop", "name": "b", "resourceVersion": "8" }, "spec": 7,
    });
    let mut pods = follow("pods", ROOM, move |before, ask| match &ask.what {
        What::Watch(_) if before == 1 => body([
            Step::Line(event("MODIFIED", &bad)),
            Step::Wait(5),
            Step::Line(event("MODIFIED", &pod("b", 9))),
            Step::Wait(5),
            Step::Line(event("DELETED", &pod("b", 10))),
            Step::Wait(15),
        ]),
        _ => healthy(ask),
    });
    pods.until(4).await;
    assert_eq!((pods.pods().unwrap(), pods.is_readable()), (vec!["a".to_owned()], false));
    pods.until(9).await;
    assert_eq!((pods.pods().unwrap().len(), pods.is_readable()), (2, true));
    pods.until(40).await;
    assert_eq!(pods.pods().unwrap(), ["a"]);
    assert_eq!(pods.count(r#"netvitals_decode_errors_total{kind="Pod"}"#), 1);
    assert_eq!(pods.count(r#"netvitals_watch_restarts_total{kind="Pod"}"#), 0);
}

#[tokio::test(start_paused = true)]
async fn no_event_is_lost_while_the_owner_is_slow() {
    let count = 2000;
    let mut pods = follow("pods", 1, move |before, ask| match &ask.what {
        What::Watch(_) if before == 1 => body((0..count).flat_map(|n| {
            let name = format!("pod-{n:04}");
            let added = event("ADDED", &pod(&name, 2 * n + 8));
            let last = if n % 2 == 0 { "DELETED" } else { "MODIFIED" };
            [Step::Line(added), Step::Line(event(last, &pod(&name, 2 * n + 9)))]
        })),
        What::Page { .. } => page(2 * count + 7, &[], ""),
        _ => healthy(ask),
    });
    for _ in 0..2 * count {
        assert!(pods.step().await);
        sleep(Duration::from_millis(20)).await;
    }
    pods.until(100).await;
    let odd = (0..count).filter(|n| n % 2 == 1).map(|n| format!("pod-{n:04}"));
    let expected: Vec<String> = ["a".to_owned(), "b".to_owned()].into_iter().chain(odd).collect();
    assert_eq!(pods.pods().unwrap(), expected);
    assert_eq!(pods.count(r#"netvitals_watch_restarts_total{kind="Pod"}"#), 0);
    assert_eq!(pods.whats().last(), Some(&What::Watch((2 * count + 7).to_string())));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_hangs_is_found_out() {
    // Its changes go nowhere, and nothing else holds up a watch without an end.
    let pods = follow("pods", 1, |_, ask| healthy(ask));
    sleep(netvitals::watch::HANGS).await;
    assert_eq!(pods.silence(), None);
    sleep(Duration::from_secs(1)).await;
    assert!(pods.silence().is_some());
}
