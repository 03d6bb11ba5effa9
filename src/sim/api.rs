//! The Kubernetes API over HTTP: discovery, list and watch of the kinds that netvitals reads.
//!
//! As an API server does it: lists in pages, streaming lists, bookmarks, watches that end after
//! `timeoutSeconds`, `410` for a version that is forgotten, `403` and `404` as a `Status`.
//! Left out: single objects, writing over HTTP, authentication, and selectors but those by which a
//! kind is watched.

mod discovery;
mod shared;
mod store;
mod watching;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::shared::Shared;
use self::store::{Parameters, Served, status_object};
use self::watching::Watching;
use crate::model::Kind;

/// The objects of a cluster, and the watches that follow them. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Api(Shared);

impl Api {
    /// Begins without objects; open watches end with `stop`.
    pub fn new(stop: CancellationToken) -> Self {
        Self(Shared::new(stop))
    }

    /// Creates or replaces an object, given as its manifest.
    ///
    /// # Errors
    ///
    /// Fails when its `kind` is not served, or it has no name.
    pub fn put(&self, object: Value) -> io::Result<()> {
        let version = self.0.store().put(object)?;
        self.0.tell(version);
        Ok(())
    }

    /// Deletes an object, if it is there; `namespace` is empty where the kind has none.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) {
        if let Some(version) = self.0.store().delete(kind, namespace, name) {
            self.0.tell(version);
        }
    }

    /// Returns the objects of a kind, by namespace and name.
    pub fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        self.0.store().list(kind)
    }

    /// Returns the version of the last change.
    pub fn version(&self) -> u64 {
        self.0.store().version()
    }

    /// Answers `403` for a kind from now on, or no longer.
    pub fn forbid(&self, kind: &str, forbidden: bool) {
        self.0.store().forbid(kind, forbidden);
    }

    /// Serves a kind from now on, in one version.
    pub fn install(&self, kind: &'static Kind, version: &'static str) {
        self.0.store().install(kind, version);
    }

    /// Serves a kind no longer, and forgets its objects; its watches end.
    pub fn uninstall(&self, kind: &Kind) {
        let version = self.0.store().uninstall(kind);
        self.0.tell(version);
    }

    /// Has discovery in its older form only, from now on.
    pub fn refuse_aggregated_discovery(&self) {
        self.0.store().aggregates = false;
    }

    /// Refuses streaming lists from now on, as servers without them do.
    pub fn refuse_streaming_lists(&self) {
        self.0.store().streams = false;
    }

    /// Forgets all changes so far: a watch from before gets `410`.
    pub fn compact(&self) {
        let version = self.0.store().compact();
        self.0.tell(version);
    }

    /// Returns the routes, which may stand behind a real client without any socket.
    pub fn routes(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// Serves until the `stop` that [`new`](Self::new) was given.
    ///
    /// # Errors
    ///
    /// Returns what the listener says.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = self.0.stop().clone().cancelled_owned();
        axum::serve(listener, self.routes()).with_graceful_shutdown(stop).await
    }
}

async fn answer(
    State(Api(shared)): State<Api>,
    uri: Uri,
    headers: HeaderMap,
    Query(query): Query<Parameters>,
) -> Response {
    let flag = |name: &str| matches!(query.get(name).map(String::as_str), Some("true" | "1"));
    let store = shared.store();
    if let Some(found) = discovery::answer(&store, uri.path(), &headers) {
        return found;
    }
    let selector = query.get("fieldSelector");
    let mut there =
        store.served.iter().copied().filter(|it| it.kind.path(it.version) == uri.path());
    // One that is followed by its fields may be asked for whole.
    let whole = there.clone().find(|it| it.kind.only.is_none() && selector.is_none());
    let is_meant = |it: &Served| it.kind.selector().as_ref() == selector;
    let Some(served) = there.find(is_meant).or(whole) else {
        return status(StatusCode::NOT_FOUND, "NotFound", "no such resource is simulated");
    };
    if store.is_forbidden(served.kind) {
        let message = format!("{} is forbidden: cannot list resource", served.kind.plural);
        return status(StatusCode::FORBIDDEN, "Forbidden", &message);
    }
    if !flag("watch") {
        return match store.page(served, &query) {
            Some(page) => Json(page).into_response(),
            None => status(StatusCode::GONE, "Expired", "the continue token is too old"),
        };
    }
    let streams = flag("sendInitialEvents");
    if streams && !store.streams {
        let message = "sendInitialEvents is forbidden for watch";
        return status(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
    }
    drop(store);
    let version = query.get("resourceVersion").and_then(|version| version.parse().ok());
    let timeout = query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
    let watching = Watching::new(&shared, served, version.unwrap_or(0), timeout);
    let watching = watching.with_bookmarks(flag("allowWatchBookmarks"), streams);
    let body = Body::from_stream(watching.into_stream());
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn status(code: StatusCode, reason: &str, message: &str) -> Response {
    (code, Json(status_object(code, reason, message))).into_response()
}

#[cfg(test)]
mod tests;
