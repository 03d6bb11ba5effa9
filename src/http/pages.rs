//! `/` and what it links to: the page, its style, the runbooks.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::latest::{Current, Latest};
use crate::status::{self, runbooks};
use crate::task::process;

/// Returns the routes of the role that judges.
pub fn routes(latest: Arc<Latest>) -> Router {
    Router::new()
        .route("/", get(page))
        .with_state(latest)
        .route("/status.css", get(style))
        .route("/runbooks/{name}", get(runbook))
}

/// Returns the routes of an agent, whose page says what it is and where the rest is.
pub fn agent(about: String) -> Router {
    let links =
        [("metrics", "metrics"), ("v1/observations", "observations"), ("livez", "liveness")];
    let html = status::landing(&about, &links, process::VERSION);
    Router::new()
        .route("/", get(move || std::future::ready(hypertext(html.clone()))))
        .route("/status.css", get(style))
}

async fn page(State(latest): State<Arc<Latest>>) -> Response {
    let html = match latest.current() {
        Current::Fresh(report) => status::write(Some(&report), None, process::VERSION),
        Current::Old(report, age) => status::write(Some(&report), Some(age), process::VERSION),
        Current::None => status::write(None, None, process::VERSION),
    };
    hypertext(html)
}

fn hypertext(html: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, status::POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, html).into_response()
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css"), (CACHE_CONTROL, "max-age=3600")], status::STYLE).into_response()
}

async fn runbook(Path(name): Path<String>) -> Response {
    match runbooks::text(&name) {
        // As text: it is read by a person, in a browser or by curl.
        Some(text) => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such runbook\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use arc_swap::ArcSwapOption;
    use axum::body::{Body, to_bytes};
    use axum::http::{HeaderMap, Request};
    use tower::ServiceExt;

    use super::*;
    use crate::check;
    use crate::fixtures::{at, cluster};
    use crate::http::report;
    use crate::report::{Past, Report};

    fn shown(now: u64, known: bool) -> Router {
        let (report, _) = Report::evaluate(check::ALL, &cluster(), &Past::default());
        let report = Arc::new(ArcSwapOption::new(known.then(|| Arc::new(report))));
        let latest = Arc::new(Latest { report, now: Box::new(move || at(now)) });
        routes(latest.clone()).merge(report::routes(latest))
    }

    async fn ask(routes: Router, path: &str) -> (u16, HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes.oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, headers, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn the_page_is_guarded_and_shows_an_old_report_as_old() {
        let (status, headers, html) = ask(shown(29, true), "/").await;
        assert_eq!(
            (status, &headers[CONTENT_TYPE]),
            (200, &"text/html; charset=utf-8".parse().unwrap())
        );
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(!html.contains("class=\"stale\""), "{html}");
        let (status, _, html) = ask(shown(30, true), "/").await;
        assert_eq!(status, 200);
        assert!(html.contains("This report is 30 s old"), "{html}");
    }

    #[tokio::test]
    async fn an_old_or_missing_report_is_no_json() {
        let (status, headers, body) = ask(shown(29, true), "/v1/report").await;
        assert_eq!((status, &headers[CONTENT_TYPE]), (200, &"application/json".parse().unwrap()));
        assert!(body.starts_with("{\"schemaVersion\":1,"), "{body}");
        let (status, _, body) = ask(shown(30, true), "/v1/report").await;
        assert_eq!((status, &*body), (503, "the last report is 30 s old: read the log\n"));
        let (status, _, body) = ask(shown(0, false), "/v1/report").await;
        assert_eq!((status, &*body), (503, "no report yet: ask again\n"));
        let (status, _, html) = ask(shown(0, false), "/").await;
        assert_eq!(status, 200);
        assert!(html.contains("There is no report yet"), "{html}");
    }

    #[tokio::test]
    async fn what_the_page_links_to_is_there() {
        let (status, headers, _) = ask(shown(0, true), "/status.css").await;
        assert_eq!((status, &headers[CONTENT_TYPE]), (200, &"text/css".parse().unwrap()));
        for (name, _) in runbooks::ALL {
            let (status, _, text) = ask(shown(0, true), &format!("/runbooks/{name}")).await;
            assert_eq!(status, 200);
            assert!(text.contains(name));
        }
        for path in ["/runbooks/Nothing", "/runbooks/..%2f..%2fCargo", "/nothing"] {
            assert_eq!(ask(shown(0, true), path).await.0, 404, "{path}");
        }
    }

    #[tokio::test]
    async fn an_agent_says_what_it_is() {
        let (status, headers, html) = ask(agent("Probes from n1.".to_owned()), "/").await;
        assert_eq!(status, 200);
        assert!(headers.contains_key(CONTENT_SECURITY_POLICY));
        assert!(html.contains("Probes from n1.") && html.contains("href=\"v1/observations\""));
    }
}
