//! One watch: what is there, what happens, and the bookmarks between.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use futures::stream::{Stream, unfold};
use serde_json::json;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::shared::Shared;
use super::store::{Served, line, status_object};

/// How long a watch lasts that does not say it.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// The state of one watch.
pub(super) struct Watching {
    shared: Shared,
    served: Served,
    /// What happened until then was told.
    version: u64,
    lines: VecDeque<String>,
    news: Receiver<u64>,
    deadline: Instant,
    bookmarks: bool,
    ended: bool,
}

impl Watching {
    /// Goes on from `version`; from 0, begins with everything that is there.
    pub(super) fn new(shared: &Shared, served: Served, version: u64, timeout: Option<u64>) -> Self {
        let timeout = timeout.map_or(TIMEOUT, Duration::from_secs);
        let mut watching = Self {
            shared: shared.clone(),
            served,
            version,
            lines: VecDeque::new(),
            news: shared.news(),
            deadline: Instant::now() + timeout,
            bookmarks: false,
            ended: false,
        };
        if version == 0 {
            let store = shared.store();
            watching.lines.extend(store.initial(served.kind));
            watching.version = store.version();
        }
        watching
    }

    /// Sends bookmarks if they are `allowed`; one right after what is there, if it is `marked`.
    pub(super) fn with_bookmarks(mut self, allowed: bool, marked: bool) -> Self {
        self.bookmarks = allowed;
        if marked {
            let mark = self.bookmark(Some("k8s.io/initial-events-end"));
            self.lines.push_back(mark);
        }
        self
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        unfold(self, |mut watching| async move {
            let line = watching.next().await?;
            Some((Ok(line.into()), watching))
        })
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            self.news.borrow_and_update();
            self.catch_up();
            if self.ended || !self.lines.is_empty() {
                continue;
            }
            tokio::select! {
                // The sender lives in `self.shared`.
                _ = self.news.changed() => {}
                () = self.shared.stop().cancelled() => self.ended = true,
                () = tokio::time::sleep_until(self.deadline) => {
                    self.ended = true;
                    if self.bookmarks {
                        let mark = self.bookmark(None);
                        self.lines.push_back(mark);
                    }
                }
            }
        }
    }

    fn catch_up(&mut self) {
        let store = self.shared.store();
        if !store.is_served(self.served.kind) {
            self.ended = true;
        } else if let Some(news) = store.since(self.served.kind, self.version) {
            self.lines.extend(news);
            self.version = store.version();
        } else {
            let message = format!("too old resource version: {}", self.version);
            let error = status_object(StatusCode::GONE, "Expired", &message);
            self.lines.push_back(line("ERROR", &error));
            self.ended = true;
        }
    }

    fn bookmark(&self, annotation: Option<&str>) -> String {
        let mut object = json!({
            "kind": self.served.kind.name, "apiVersion": self.served.api_version(),
            "metadata": { "resourceVersion": self.version.to_string() },
        });
        if let Some(annotation) = annotation {
            object["metadata"]["annotations"] = json!({ annotation: "true" });
        }
        line("BOOKMARK", &object)
    }
}
