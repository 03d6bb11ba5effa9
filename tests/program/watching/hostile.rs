//! What answers is not what the API is: none of it is taken for life, none of it costs much.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_ENCODING;
use axum::response::IntoResponse;
use netvitals::model::{Fact, Pod, Unknown};
use serde_json::json;

use super::api::{Answer, Step, What, body, event, follow, page, pod, quiet, refuse, stream};
use super::{ROOM, first_page, healthy, watch};

static FLOOD: [u8; 1 << 20] = [b' '; 1 << 20];

/// What it is called, and the answer to a watch.
type Garbage = (&'static str, fn() -> Answer);

/// What a broken proxy may answer to a watch.
const GARBAGE: [Garbage; 10] = [
    ("a page", || Some("<html>It works!</html>\n".into_response())),
    ("nothing", || body([])),
    ("silence", || body([Step::Hang])),
    ("silence, and an end before its time", || body([Step::Wait(10)])),
    ("an error", || {
        let status = json!({ "kind": "Status", "message": "no", "code": 500 });
        body([Step::Line(event("ERROR", &status))])
    }),
    ("an event that is none", || body([Step::Line(event("CHANGED", &pod("a", 8))), Step::Hang])),
    ("something compressed", || {
        let mut answer = body([Step::Bytes(b"\x1f\x8b\x08\x00\x00\n"), Step::Hang])?;
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Some(answer)
    }),
    ("a line without end", || {
        body([const { Step::Bytes(&FLOOD) }; 9].into_iter().chain([Step::Hang]))
    }),
    ("a reset", || body([Step::Wait(1), Step::Break])),
    ("half an event", || body([Step::Bytes(b"{ \"type\": \"ADDED\", \"obj"), Step::Wait(2)])),
];

#[tokio::test(start_paused = true)]
async fn garbage_in_the_place_of_watches_is_no_life_and_leads_to_lists() {
    for (what, garbage) in GARBAGE {
        let mut pods = follow("pods", ROOM, move |_, ask| match &ask.what {
            What::Watch(_) => garbage(),
            _ if ask.at < Duration::from_secs(20) => healthy(ask),
            What::Stream => stream(8, &["a"]),
            What::Page { .. } => page(8, &["a"], ""),
        });
        pods.until(10).await;
        assert_eq!(pods.pods().unwrap(), ["a", "b"], "{what}");
        pods.until(240).await;
        assert_eq!(pods.pods().unwrap(), ["a"], "{what}: the pod that went is gone");
        let lists = pods.whats().iter().filter(|what| **what == What::Stream).count();
        assert!((2..=6).contains(&lists), "{what}: {lists} lists");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_in_the_place_of_everything_makes_the_kind_stale() {
    for (what, garbage) in GARBAGE {
        let mut pods = follow("pods", ROOM, move |_, ask| {
            if ask.at < Duration::from_secs(10) { healthy(ask) } else { garbage() }
        });
        pods.until(31 + 50).await;
        assert!(!pods.freshness(Pod::KIND).up, "{what}");
        pods.until(31 + 175).await;
        assert_eq!(pods.pods(), Err(Unknown::Stale("Pod").into()), "{what}");
        assert!(pods.asked().len() < 60, "{what}: {}", pods.asked().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_badly_now_and_then_stays_up() {
    // A quiet kind behind a proxy that cuts a watch every few minutes.
    let mut pods = follow("pods", ROOM, |before, ask| match &ask.what {
        What::Watch(_) if before % 12 == 11 => body([Step::Wait(3), Step::Break]),
        _ => healthy(ask),
    });
    let mut down = 0;
    for second in 1..1200 {
        pods.until(second).await;
        down += u32::from(!pods.freshness(Pod::KIND).up);
        assert!(pods.pods().is_ok(), "after {second} s");
    }
    assert!(down < 60, "{down} s");
}

#[tokio::test(start_paused = true)]
async fn an_etcd_from_a_backup_is_listed_again() {
    // It has gone back at 40 s: no watch says so, and none has news before its version is reached.
    for (restored, expected) in [(3, vec!["a", "old"]), (1, vec![]), (6, vec!["b"])] {
        let pods_now = expected.clone();
        let mut pods = follow("pods", ROOM, move |_, ask| match &ask.what {
            _ if ask.at < Duration::from_secs(40) => healthy(ask),
            What::Stream => stream(restored, &pods_now),
            What::Page { .. } => page(restored, &pods_now, ""),
            What::Watch(_) => quiet(),
        });
        pods.until(39).await;
        assert_eq!(pods.pods().unwrap(), ["a", "b"]);
        pods.until(40 + 65).await;
        assert_eq!(pods.pods().unwrap(), expected);
        assert!(pods.whats().contains(&watch(restored)), "{:?}", pods.whats());
        pods.until(600).await;
        assert!(pods.freshness(Pod::KIND).up);
        assert_eq!(pods.count(r#"netvitals_watch_relists_total{kind="Pod"}"#), 1);
    }
}

/// What it is called, and the answer, after so many requests.
type Endless = (&'static str, fn(&What, usize) -> Answer);

/// What it is called, and the answer to a list where that is not the usual one.
type Allowed = (&'static str, fn(&What) -> Answer);

/// Lists that do not end; the third number is how many requests have come before.
const ENDLESS: [Endless; 5] = [
    ("empty pages with ever new tokens", |what, before| match what {
        What::Page { .. } => page(7, &[], &before.to_string()),
        _ => refuse(422, "no"),
    }),
    ("the same page again and again", |what, _| match what {
        What::Page { .. } => page(7, &["a", "b"], "more"),
        _ => refuse(422, "no"),
    }),
    ("two pages by turns", |what, before| match what {
        What::Page { .. } if before % 2 == 0 => page(7, &["a"], "more"),
        What::Page { .. } => page(7, &["b"], "again"),
        _ => refuse(422, "no"),
    }),
    ("initial events that repeat", |what, _| match what {
        What::Page { .. } => page(7, &["a", "b"], "more"),
        _ => body((0..100).flat_map(|_| {
            let again = ["a", "b"].map(|name| Step::Line(event("ADDED", &pod(name, 1))));
            again.into_iter().chain([Step::Wait(1)])
        })),
    }),
    ("initial events that come and go", |what, _| match what {
        What::Page { .. } => page(7, &[], "more"),
        _ => body((0..100).flat_map(|_| {
            let turn = ["ADDED", "DELETED"].map(|ty| Step::Line(event(ty, &pod("a", 1))));
            turn.into_iter().chain([Step::Wait(1)])
        })),
    }),
];

#[tokio::test(start_paused = true)]
async fn a_list_without_end_proves_nothing_and_costs_little() {
    for (what, endless) in ENDLESS {
        let mut pods = follow("pods", ROOM, move |before, ask| match &ask.what {
            What::Watch(_) if ask.at < Duration::from_secs(20) => quiet(),
            What::Watch(_) => refuse(410, "too old"),
            _ if ask.at < Duration::from_secs(20) => healthy(ask),
            what => endless(what, before),
        });
        pods.until(25).await;
        assert_eq!(pods.pods().unwrap(), ["a", "b"], "{what}");
        pods.until(30 + 175).await;
        assert_eq!(pods.pods(), Err(Unknown::Stale("Pod").into()), "{what}");
        let asked = pods.asked().len();
        assert!(asked < 2000, "{what}: {asked} requests in 175 s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_relist_names_again_proves_nothing_and_its_end_everything() {
    let mut pods = follow("pods", ROOM, |before, ask| match (&ask.what, before) {
        (What::Watch(_), 1) => refuse(410, "too old"),
        (What::Stream, 2) => {
            let mark = json!({ "metadata": {
                "resourceVersion": "9", "annotations": { "k8s.io/initial-events-end": "true" },
            } });
            let slow = (0..10).flat_map(|n| {
                let object = event("ADDED", &pod(&format!("pod-{n}"), 8));
                [Step::Line(object), Step::Wait(20)]
            });
            body(slow.chain([Step::Line(event("BOOKMARK", &mark)), Step::Hang]))
        }
        _ => healthy(ask),
    });
    pods.until(44).await;
    assert!(pods.freshness(Pod::KIND).up);
    pods.until(50).await;
    assert!(!pods.freshness(Pod::KIND).up, "nothing is known of the old rows");
    pods.until(175).await;
    assert_eq!(pods.pods(), Err(Unknown::Stale("Pod").into()));
    pods.until(201).await;
    assert_eq!(pods.pods().unwrap().len(), 10);
    assert!(pods.freshness(Pod::KIND).up, "said at once");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_forbidden_beside_lists_that_are_allowed_does_not_flap() {
    let cases: [Allowed; 3] = [
        ("streaming lists are allowed", |_| None),
        ("there are none", |what| match what {
            What::Stream => refuse(422, "no"),
            _ => None,
        }),
        ("they are forbidden too", |what| match what {
            What::Stream => refuse(403, "no"),
            _ => None,
        }),
    ];
    for (what, answer) in cases {
        let mut pods = follow("pods", ROOM, move |_, ask| match &ask.what {
            What::Watch(_) if ask.at < Duration::from_secs(600) => refuse(403, "no"),
            _ if ask.at >= Duration::from_secs(600) => healthy(ask),
            other => answer(other).or_else(|| healthy(ask)),
        });
        for second in 15..600 {
            pods.until(second).await;
            assert_eq!(pods.pods(), Err(Unknown::Forbidden("Pod").into()), "{what}: {second} s");
        }
        pods.until(680).await;
        assert_eq!(pods.pods().unwrap(), ["a", "b"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_not_asked_for_without_a_pause() {
    let mut pods = follow("pods", ROOM, |_, ask| match &ask.what {
        What::Watch(_) => body([Step::Line(event("MODIFIED", &pod("a", 8)))]),
        _ => healthy(ask),
    });
    pods.until(60).await;
    let watches = pods.whats().iter().filter(|what| matches!(what, What::Watch(_))).count();
    assert!((4..=8).contains(&watches), "{:?}", pods.asked());
}

#[tokio::test(start_paused = true)]
async fn a_line_without_end_is_not_read_to_its_end() {
    let mut pods = follow("pods", ROOM, |_, ask| match &ask.what {
        What::Stream => body(std::iter::repeat_n(Step::Bytes(&FLOOD), 64).chain([Step::Hang])),
        _ => healthy(ask),
    });
    pods.until(5).await;
    assert_eq!(pods.whats(), [What::Stream, first_page(), watch(7)]);
}

#[tokio::test(start_paused = true)]
async fn another_server_than_kubernetes_is_no_empty_cluster() {
    for answer in
        ["<html>It works!</html>", r#"{ "items": [] }"#, r#"{ "metadata": {}, "items": [] }"#]
    {
        let mut pods = follow("pods", ROOM, |_, _| Some(answer.into_response()));
        pods.until(60).await;
        assert_eq!(pods.pods(), Err(Unknown::NotListed("Pod").into()), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn versions_that_go_back_are_listed_again() {
    let mut pods = follow("pods", ROOM, |before, ask| match (&ask.what, before) {
        (What::Watch(_), 1) => body([Step::Line(event("MODIFIED", &pod("a", 3))), Step::Hang]),
        (What::Stream, 2) => stream(3, &["a"]),
        _ => healthy(ask),
    });
    pods.until(1).await;
    assert_eq!(pods.whats(), [What::Stream, watch(7), What::Stream, watch(3)]);
    assert_eq!(pods.pods().unwrap(), ["a"]);
}
