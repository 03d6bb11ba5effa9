//! Follows one kind for ever, whatever the API server does.
//!
//! Not `kube::runtime::watcher`: it cannot shorten its watches after the first list without
//! listing again, hides bookmarks and reconnects, which prove the source alive, stays for ever
//! on an HTTP status of 410, and reads lines of any length. What is decided stands in `course`.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use super::counters::{Counters, Of};
use super::course::{Course, Step, margin};
use super::discovery::Served;
use super::error::{WatchError, one_line};
use super::object::{Page, Received, WatchEvent, Watched};
use super::progress::{Progress, STALL};
use super::request::Resource;
use super::restored::Restored;
use super::served::Presence;
use crate::cluster::{Change, Event};
use crate::model::Key;
use crate::task::Task;

/// How long a streaming list may take; a longer one goes on in pages.
const LIST: Duration = Duration::from_secs(290);

/// Between two lines of the log about undecodable objects of a kind.
const LOG: Duration = Duration::from_secs(30);

/// What a follower works with.
pub(super) struct Context<T> {
    pub(super) client: Client,
    pub(super) counts: Arc<Counters>,
    pub(super) changes: Sender<Change>,
    /// What an event is to the owner of the facts.
    pub(super) change: fn(Event<T>) -> Change,
    pub(super) served: Served,
    pub(super) restored: Restored,
    pub(super) task: Task,
}

/// Sends what happens to the objects of a kind, where the cluster has it, until the owner of the
/// facts is gone.
pub(super) async fn follow<T: Watched>(context: Context<T>) {
    if !T::KIND.is_discovered() {
        return Follower::new(&context, T::KIND.versions[0]).run().await;
    }
    let mut seen = context.served.subscribe(T::KIND);
    loop {
        let presence = seen.now();
        match presence {
            Presence::Served(version) => {
                context.counts.of(T::KIND).show();
                tokio::select! {
                    () = Follower::new(&context, version).run() => return,
                    () = seen.changed(presence) => {}
                }
            }
            Presence::Absent if T::KIND.optional => {
                let absent = (context.change)(Event::Absent);
                if context.changes.send(absent).await.is_err() {
                    return;
                }
                seen.changed_beating(presence, &context.task).await;
            }
            Presence::Absent | Presence::Unknown => {
                seen.changed_beating(presence, &context.task).await;
            }
        }
    }
}

struct Follower<'c, T> {
    context: &'c Context<T>,
    resource: Resource,
    course: Course,
    restored: Restored,
    logged: Option<Instant>,
}

impl<'c, T: Watched> Follower<'c, T> {
    fn new(context: &'c Context<T>, version: &'static str) -> Self {
        let Context { client, counts, .. } = context;
        let resource = Resource::new(client.clone(), T::KIND, version, counts.clone());
        let mut restored = context.restored.clone();
        // It begins with a list: what was told before is no news.
        restored.is_news();
        Self { context, resource, course: Course::new(T::KIND), restored, logged: None }
    }

    fn counts(&self) -> &Of {
        self.context.counts.of(T::KIND)
    }

    async fn run(mut self) {
        loop {
            self.context.task.beat();
            if self.restored.is_news() {
                self.course.doubt();
                let reason = "another kind has seen that the API server went back in time";
                tracing::info!(kind = T::KIND.label, reason, "a kind is listed again");
            }
            let step = self.course.next(Instant::now());
            let Err(error) = self.take(step).await else { continue };
            if matches!(error, WatchError::Orphaned) {
                return;
            }
            self.counts().restarts.inc();
            if matches!(error, WatchError::Regressed) {
                self.restored.tell();
            }
            if T::KIND.optional && matches!(error, WatchError::Refused { code: 404, .. }) {
                self.context.served.doubt();
            }
            let after = self.course.failed(Instant::now(), step, &error);
            let kind = T::KIND.label;
            if after.pause.is_zero() {
                tracing::info!(kind, reason = %error, "a kind is listed again");
            } else {
                let pause = after.pause.as_secs_f64();
                tracing::warn!(kind, %error, pause, "cannot follow a kind, will try again");
            }
            if let Some(why) = after.unavailable
                && self.send(Event::Unavailable(why)).await.is_err()
            {
                return;
            }
            self.context.task.beat();
            sleep(after.pause).await;
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), WatchError> {
        match step {
            Step::Compare => self.compare().await,
            Step::Stream => self.stream().await,
            Step::List(limit) => self.list(limit).await,
            Step::Watch(length) => self.watch(length).await,
        }
    }

    async fn compare(&mut self) -> Result<(), WatchError> {
        let body = self.resource.page(1, None, STALL).await?;
        let page = Page::<T>::read(&body).map_err(|error| garbled(&error))?;
        self.course.compared(Instant::now(), &page.version)
    }

    async fn stream(&mut self) -> Result<(), WatchError> {
        // Without a version the server sends what is true now, and never an older state.
        let opened = self.resource.watch("", true, LIST, STALL).await;
        let mut lines = opened.map_err(|error| match error {
            // The server is too old for it, or it is switched off.
            WatchError::Refused { code: 400 | 422, message, .. } => {
                WatchError::Unsupported(message)
            }
            error => error,
        })?;
        self.begin().await?;
        let end = Instant::now() + LIST;
        let mut progress = Progress::new(Instant::now());
        while let Some(line) = lines.next(progress.deadline().min(end)).await? {
            match read(line)? {
                WatchEvent::Put(seen) => {
                    progress.note(Instant::now(), &seen.key)?;
                    self.put(seen).await?;
                }
                WatchEvent::Gone(seen) => self.send(Event::Gone(seen.key)).await?,
                WatchEvent::Bookmark { version, complete: true } => {
                    return self.done(version).await;
                }
                WatchEvent::Bookmark { .. } => {}
                WatchEvent::Refused(status) => return Err(status.into()),
            }
            if Instant::now() >= end {
                return Err(WatchError::Endless);
            }
        }
        Err(WatchError::Cut)
    }

    async fn list(&mut self, limit: u32) -> Result<(), WatchError> {
        let mut next = None;
        let mut progress = Progress::new(Instant::now());
        loop {
            let is_first = next.is_none();
            let body = self.resource.page(limit, next, STALL).await?;
            let page = Page::read(&body).map_err(|error| garbled(&error))?;
            if is_first {
                self.begin().await?;
            }
            for seen in page.objects {
                progress.note(Instant::now(), &seen.key)?;
                self.put(seen).await?;
            }
            next = page.next;
            if next.is_none() {
                return self.done(page.version).await;
            }
            self.context.task.beat();
            sleep(progress.turn(Instant::now(), limit)?).await;
        }
    }

    /// Watches until the server ends it, which it does after `length`.
    async fn watch(&mut self, length: Duration) -> Result<(), WatchError> {
        let mut lines = self.resource.watch(self.course.version(), false, length, STALL).await?;
        let start = Instant::now();
        if !self.course.accepted(start) {
            return Ok(());
        }
        let mut quiet = true;
        while let Some(line) = lines.next(Instant::now() + length + margin(length)).await? {
            quiet = false;
            match read(line)? {
                WatchEvent::Put(seen) => {
                    self.course.reached(Instant::now(), &seen.version)?;
                    self.put(seen).await?;
                }
                WatchEvent::Gone(seen) => {
                    self.course.reached(Instant::now(), &seen.version)?;
                    self.send(Event::Gone(seen.key)).await?;
                }
                WatchEvent::Bookmark { version, .. } => {
                    if self.course.reached(Instant::now(), &version)? {
                        self.send(Event::Alive).await?;
                    }
                }
                WatchEvent::Refused(status) => return Err(status.into()),
            }
        }
        let now = Instant::now();
        if self.course.ended(now, length, now - start, quiet)? {
            self.send(Event::Alive).await?;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), WatchError> {
        if self.course.begin() {
            self.counts().relists.inc();
        }
        self.send(Event::Begin).await
    }

    async fn done(&mut self, version: String) -> Result<(), WatchError> {
        self.course.listed(Instant::now(), version)?;
        self.send(Event::Done).await
    }

    async fn put(&mut self, Received { key, fact, .. }: Received<T>) -> Result<(), WatchError> {
        match fact {
            Ok(fact) => self.send(Event::Put(key, fact)).await,
            Err(error) => {
                self.undecoded(&key, &error);
                self.send(Event::Undecoded(key)).await
            }
        }
    }

    /// Says which object cannot be decoded, of many only one now and then.
    fn undecoded(&mut self, key: &Key, error: &str) {
        let errors = &self.context.counts.of(T::KIND).decode_errors;
        errors.inc();
        let now = Instant::now();
        if self.logged.is_none_or(|logged| now - logged >= LOG) {
            self.logged = Some(now);
            let (kind, error, total) = (T::KIND.label, one_line(error), errors.get());
            tracing::warn!(kind, object = %key, error, total, "cannot decode an object");
        }
    }

    /// Waits for the owner to have room: a lost event would be wrong for ever.
    async fn send(&self, event: Event<T>) -> Result<(), WatchError> {
        self.context.task.beat();
        self.context
            .changes
            .send((self.context.change)(event))
            .await
            .map_err(|_| WatchError::Orphaned)
    }
}

fn read<T: Watched>(line: &[u8]) -> Result<WatchEvent<T>, WatchError> {
    WatchEvent::read(line).map_err(|error| garbled(&error))
}

fn garbled(error: &serde_json::Error) -> WatchError {
    WatchError::Garbled(one_line(&error.to_string()))
}
