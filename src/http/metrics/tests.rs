use std::io::Read;
use std::sync::mpsc;

use arc_swap::ArcSwapOption;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request};
use flate2::read::GzDecoder;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::check;
use crate::fixtures::{at, cluster};
use crate::http::Limits;
use crate::report::{Past, Report};
use crate::task::{self, Task, apart};

/// The page of a report of this many seconds.
fn metrics_after(seconds: u64) -> Metrics {
    let (report, _) = Report::evaluate(check::ALL, &cluster(), &Past::default());
    let report = Arc::new(ArcSwapOption::from_pointee(report));
    Metrics {
        latest: Arc::new(Latest { report, now: Box::new(move || at(seconds)) }),
        live: Box::new(|| vec![task::rows(&[Task::new("watch")])]),
    }
}

fn metrics() -> Metrics {
    metrics_after(0)
}

async fn scrape(routes: &Router, accept: &str, encoding: &str) -> Response {
    let request = Request::get("/metrics").header(ACCEPT, accept).header(ACCEPT_ENCODING, encoding);
    routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn body(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 24).await.unwrap().into()
}

#[test]
fn an_old_report_is_not_served_and_the_counters_are() {
    let page = |seconds| metrics_after(seconds).page(Format::Text);
    let (fresh, old) = (page(29), page(30));
    assert!(fresh.contains("netvitals_check_answered{"));
    assert!(!old.contains("netvitals_check_answered{"));
    assert!(old.contains("netvitals_task_panics_total{task=\"watch\"} 0"));
}

#[tokio::test]
async fn form_and_coding_are_what_was_asked_for() {
    let routes = routes(metrics(), &Server::new(Limits::CLUSTER));
    for (accept, format) in [
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", Format::OpenMetrics),
        ("text/plain;version=0.0.4", Format::Text),
        ("", Format::Text),
    ] {
        let plain = scrape(&routes, accept, "identity").await;
        assert_eq!(plain.headers()[CONTENT_TYPE], format.content_type());
        assert_eq!(plain.headers()[VARY], "accept, accept-encoding");
        assert_eq!(plain.headers().get(CONTENT_ENCODING), None);
        let page = String::from_utf8(body(plain).await).unwrap();
        assert_eq!(page.ends_with("# EOF\n"), format == Format::OpenMetrics);
        assert_eq!(
            page.matches("# EOF").count(),
            page.lines().last().unwrap().matches("# EOF").count()
        );

        let packed = scrape(&routes, accept, "deflate, gzip;q=1.0").await;
        let gzip = HeaderValue::from_static("gzip");
        assert_eq!(packed.headers().get(CONTENT_ENCODING), Some(&gzip));
        let mut unpacked = String::new();
        let packed = body(packed).await;
        GzDecoder::new(&*packed).read_to_string(&mut unpacked).unwrap();
        assert!(unpacked.contains("netvitals_check_answered{"));
        assert!(packed.len() * 2 < unpacked.len());
    }
}

#[test]
fn gzip_is_sent_to_those_who_take_it() {
    for (header, takes) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5", true),
        ("", false),
        ("gzip;q=0", false),
        ("gzip;Q=0", false),
        ("gzip ; Q = 0.000", false),
        ("gzip;Q=1", true),
        ("x-gzip", false),
    ] {
        assert_eq!(takes_gzip(header), takes, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_shared_for_a_second_and_every_scrape_counted() {
    let routes = routes(metrics(), &Server::new(Limits::CLUSTER));
    let scrapes = async || {
        let page = body(scrape(&routes, "", "").await).await;
        let page = String::from_utf8(page).unwrap();
        let count = page.lines().find_map(|line| line.strip_prefix("netvitals_scrapes_total "));
        count.unwrap().to_owned()
    };
    assert_eq!([scrapes().await, scrapes().await], ["1", "1"]);
    tokio::time::advance(SHARED).await;
    assert_eq!(scrapes().await, "3");
}

#[tokio::test]
async fn too_many_encodes_are_refused_and_counted_and_equal_ones_are_shared() {
    let (entered, entries) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let (entered, held) = (std::sync::Mutex::new(entered), std::sync::Mutex::new(held));
    let live = Box::new(move || {
        entered.lock().unwrap().send(()).unwrap();
        held.lock().unwrap().recv().ok();
        Vec::new()
    });
    let server = Server::new(Limits { encodes: 1, ..Limits::CLUSTER });
    let routes = routes(Metrics { live, ..metrics() }, &server);
    let first = tokio::spawn({
        let routes = routes.clone();
        async move { scrape(&routes, "", "").await }
    });
    apart(move || entries.recv().unwrap()).await.unwrap();
    let other = scrape(&routes, "", "gzip").await;
    assert_eq!(other.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(other.headers()[RETRY_AFTER], "1");
    assert_eq!(server.counts.rejected(Rejected::Encodes), 1);
    // The same page again waits for the one that is being written.
    let same = scrape(&routes, "", "");
    release.send(()).unwrap();
    assert_eq!(same.await.status(), StatusCode::OK);
    assert_eq!(first.await.unwrap().status(), StatusCode::OK);
    drop(release);
}

#[tokio::test]
async fn a_client_that_leaves_frees_no_place_before_the_work_is_done() {
    let (entered, entries) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let (entered, held) = (std::sync::Mutex::new(entered), std::sync::Mutex::new(held));
    let live = Box::new(move || {
        entered.lock().unwrap().send(()).unwrap();
        held.lock().unwrap().recv().ok();
        Vec::new()
    });
    let server = Server::new(Limits { encodes: 1, ..Limits::CLUSTER });
    let routes = routes(Metrics { live, ..metrics() }, &server);
    let gone = tokio::spawn({
        let routes = routes.clone();
        async move { scrape(&routes, "", "").await }
    });
    apart(move || entries.recv().unwrap()).await.unwrap();
    gone.abort();
    gone.await.unwrap_err();
    let other = scrape(&routes, "", "gzip").await;
    assert_eq!(other.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(release);
    assert_eq!(scrape(&routes, "", "").await.status(), StatusCode::OK);
}

#[test]
fn a_page_needs_none_of_the_threads_that_dead_dns_holds() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
    let (release, held) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || held.recv());
    let status = runtime.block_on(async {
        scrape(&routes(metrics(), &Server::new(Limits::CLUSTER)), "", "gzip").await.status()
    });
    assert_eq!(status, StatusCode::OK);
    drop(release);
}

#[tokio::test]
async fn a_browser_collects_nothing() {
    let server = Server::new(Limits::CLUSTER);
    let routes = routes(metrics(), &server);
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    assert_eq!(scrape(&routes, browser, "gzip").await.status(), StatusCode::OK);
    assert_eq!(server.scrapes(), 0);
    for (count, program) in
        ["application/openmetrics-text;version=1.0.0,*/*;q=0.1", "*/*", ""].iter().enumerate()
    {
        scrape(&routes, program, "gzip").await;
        assert_eq!(server.scrapes(), count as u64 + 1, "{program}");
    }
}

/// A page that cannot be written whenever `fails`, and the server that it may end.
async fn scrape_each(fails: &[bool]) -> (Vec<u16>, bool) {
    let failing = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let now = failing.clone();
    let live = Box::new(move || {
        assert!(!now.load(Ordering::Relaxed), "on purpose");
        Vec::new()
    });
    let server = Server::new(Limits::CLUSTER);
    let routes = routes(Metrics { live, ..metrics() }, &server);
    let mut statuses = Vec::new();
    for fail in fails {
        failing.store(*fail, Ordering::Relaxed);
        statuses.push(scrape(&routes, "", "").await.status().as_u16());
        tokio::time::advance(SHARED).await;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let served = server.serve(listener, routes, CancellationToken::new());
    (statuses, tokio::time::timeout(SHARED, served).await.is_ok_and(|served| served.is_err()))
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_twice_in_a_row_ends_the_server() {
    for (fails, ends) in [
        ([false, true, false, true, false].as_slice(), false),
        (&[false, true, true], true),
        (&[true, true, false], true),
        (&[true], false),
    ] {
        let (statuses, ended) = scrape_each(fails).await;
        let expected: Vec<u16> = fails.iter().map(|it| if *it { 500 } else { 200 }).collect();
        assert_eq!((statuses, ended), (expected, ends), "{fails:?}");
    }
}
