//! Follows one kind for ever, whatever the API server does.
//!
//! Not `kube::runtime::watcher`: it cannot shorten its watches after the first list without
//! listing again, hides bookmarks and reconnects, which prove the source alive, stays for ever
//! on an HTTP status of 410, and reads lines of any length.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use super::counts::Counts;
use super::object::{Line, Page, Seen, Watched};
use super::request::Source;
use super::trouble::{Trouble, one_line};
use crate::cluster::{Change, Event};
use crate::model::{Fact, Key, Skipped, Unanswered, Unknown};
use crate::task::{Backoff, Task};

/// A list without a new object for this long has failed; one that goes on may take its time.
const STALL: Duration = Duration::from_secs(30);

/// How long a streaming list may take; a longer one goes on in pages.
const LIST: Duration = Duration::from_secs(290);

/// How long a watch lasts. A quiet one shows life when it ends, so this is how soon an outage is
/// seen, for the price of one request.
const WATCH: Duration = Duration::from_secs(30);

/// A watch that is silent for longer than it lasts is broken.
const MARGIN: Duration = Duration::from_secs(5);

/// A healthy watch is not over sooner.
const SHORTEST: Duration = Duration::from_secs(1);

/// Objects in a page, at first.
const PAGE: u32 = 500;

/// A starting API server forbids everything for its first second.
const BARRED: Duration = Duration::from_secs(10);

/// The most that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest pause while nothing answers: asking costs the server nothing, and once it is back
/// nobody should have to wait.
const UNREACHABLE: Duration = Duration::from_secs(30);

/// One relist in this time goes through at once: a restarted API server asks all for theirs.
const CALM: Duration = Duration::from_secs(120);

/// Between two proofs of life.
const PROOF: Duration = Duration::from_secs(5);

/// Even a healthy watch is checked against a list now and then, ± 20 %.
const RELIST: Duration = Duration::from_secs(6 * 3600);

/// Between two lines of the log about undecodable objects of a kind.
const LOG: Duration = Duration::from_secs(30);

/// Sends what happens to the objects of a kind, until nobody receives any more.
pub(super) async fn follow<T: Watched>(
    client: Client,
    changes: Sender<Change>,
    counts: Arc<Counts>,
    task: Task,
) {
    let follower = Follower::<T> {
        source: Source::new(client, T::KIND, counts),
        changes,
        task,
        version: String::new(),
        relist: None,
        begun: false,
        streams: true,
        in_pages: false,
        page: PAGE,
        live: None,
        proved: None,
        trusted: false,
        barred: None,
        relisted: None,
        logged: None,
        backoff: Backoff::default(),
        kind: PhantomData,
    };
    follower.run().await;
}

struct Follower<T> {
    source: Source,
    changes: Sender<Change>,
    task: Task,
    /// Everything up to here is known; empty when a list is due.
    version: String,
    /// When the next list is due although all is well.
    relist: Option<Instant>,
    /// Whether a list has ever begun.
    begun: bool,
    /// Whether the server has streaming lists, as far as anyone knows.
    streams: bool,
    /// Whether the next list goes in pages, because the last one came to nothing.
    in_pages: bool,
    page: u32,
    /// Since when all is well.
    live: Option<Instant>,
    proved: Option<Instant>,
    /// Whether the last watch was not silent, so that the head of the next proves life.
    trusted: bool,
    /// Since when the server gives no other answer than this one.
    barred: Option<(u16, Instant)>,
    /// The last relist that went through at once.
    relisted: Option<Instant>,
    logged: Option<Instant>,
    backoff: Backoff,
    kind: PhantomData<fn() -> T>,
}

impl<T: Watched> Follower<T> {
    async fn run(mut self) {
        loop {
            self.task.beat();
            let Err(trouble) = self.advance().await else { continue };
            if matches!(trouble, Trouble::Orphaned) {
                return;
            }
            self.source.counts.of(T::KIND).restarts.inc();
            // A proxy may answer for a server that is dead.
            self.trusted &= !matches!(trouble, Trouble::Silent);
            let pause = self.judge(&trouble);
            let kind = T::KIND.name;
            if pause.is_zero() {
                tracing::info!(kind, reason = %trouble, "a kind is listed again");
            } else {
                let pause = pause.as_secs_f64();
                tracing::warn!(kind, error = %trouble, pause, "cannot follow a kind, will try again");
            }
            if let Some(why) = self.is_barred() {
                // Only the end of a list lifts it again.
                self.version.clear();
                if self.send(Event::Barred(why)).await.is_err() {
                    return;
                }
            }
            self.task.beat();
            sleep(pause).await;
        }
    }

    /// Takes the next step: a list, or a watch until its regular end.
    async fn advance(&mut self) -> Result<(), Trouble> {
        let due = self.relist.is_some_and(|due| Instant::now() >= due);
        if !self.version.is_empty() && !due {
            self.watch().await
        } else if self.streams && !self.in_pages {
            self.stream().await
        } else {
            self.list().await
        }
    }

    /// Lists by a watch that begins with every object.
    async fn stream(&mut self) -> Result<(), Trouble> {
        let streamed = self.try_stream().await;
        match streamed {
            // The server is too old for it, or it is switched off.
            Err(Trouble::Refused { code: 400 | 422, message, .. }) => {
                self.streams = false;
                return Err(Trouble::Unsupported(message));
            }
            Ok(()) | Err(Trouble::Refused { .. } | Trouble::Unreachable(_)) => {}
            Err(_) => self.in_pages = true,
        }
        streamed
    }

    async fn try_stream(&mut self) -> Result<(), Trouble> {
        // Without a version the server sends what is true now, and never an older state.
        let mut lines = self.source.watch("", true, LIST, STALL).await?;
        self.begin().await?;
        let mut deadline = Instant::now() + STALL;
        while let Some(line) = lines.next(deadline).await? {
            match read(line)? {
                Line::Put(seen) => {
                    self.put(seen).await?;
                    deadline = Instant::now() + STALL;
                }
                Line::Gone(seen) => self.send(Event::Gone(seen.key)).await?,
                Line::Bookmark { version, complete: true } => return self.done(version).await,
                Line::Bookmark { .. } => {}
                Line::Refused(status) => return Err(status.into()),
            }
        }
        Err(Trouble::Cut)
    }

    /// Lists page by page.
    async fn list(&mut self) -> Result<(), Trouble> {
        let listed = self.try_list().await;
        match listed {
            Ok(()) => self.page = PAGE,
            // Perhaps it is more than can be sent or read in one piece.
            Err(Trouble::Silent | Trouble::Oversized) => self.page = (self.page / 10).max(1),
            Err(_) => {}
        }
        listed
    }

    async fn try_list(&mut self) -> Result<(), Trouble> {
        let mut next = None;
        loop {
            let is_first = next.is_none();
            let body = self.source.page(self.page, next, STALL).await?;
            let page = Page::read(&body).map_err(|error| garbled(&error))?;
            if is_first {
                self.begin().await?;
            }
            for seen in page.objects {
                self.put(seen).await?;
            }
            next = page.next;
            if next.is_none() {
                return self.done(page.version).await;
            }
        }
    }

    /// Watches until the server ends it, which it does after a while.
    async fn watch(&mut self) -> Result<(), Trouble> {
        let mut lines = self.source.watch(&self.version, false, WATCH, STALL).await?;
        let start = Instant::now();
        self.live.get_or_insert(start);
        self.barred = None;
        if self.trusted {
            self.prove().await?;
        }
        while let Some(line) = lines.next(Instant::now() + WATCH + MARGIN).await? {
            match read(line)? {
                Line::Put(seen) => {
                    self.reach(&seen.version)?;
                    self.put(seen).await?;
                }
                Line::Gone(seen) => {
                    self.reach(&seen.version)?;
                    self.send(Event::Gone(seen.key)).await?;
                }
                Line::Bookmark { version, .. } => {
                    self.reach(&version)?;
                    self.prove().await?;
                }
                Line::Refused(status) => return Err(status.into()),
            }
        }
        if start.elapsed() < SHORTEST {
            return Err(Trouble::Cut);
        }
        self.trusted = true;
        self.prove().await
    }

    async fn begin(&mut self) -> Result<(), Trouble> {
        if self.begun {
            self.source.counts.of(T::KIND).relists.inc();
        }
        self.begun = true;
        self.barred = None;
        // Should the list fail, the next step is one again.
        self.version.clear();
        self.send(Event::Begin).await
    }

    async fn done(&mut self, version: String) -> Result<(), Trouble> {
        if version.is_empty() {
            return Err(Trouble::Garbled("a list without resourceVersion".to_owned()));
        }
        let now = Instant::now();
        self.version = version;
        self.relist = Some(now + RELIST.mul_f64(0.8 + 0.4 * fastrand::f64()));
        self.in_pages = false;
        self.live = Some(now);
        self.proved = Some(now);
        self.trusted = true;
        self.send(Event::Done).await
    }

    async fn put(&mut self, Seen { key, fact, .. }: Seen<T>) -> Result<(), Trouble> {
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
        let errors = &self.source.counts.of(T::KIND).decode_errors;
        errors.inc();
        let now = Instant::now();
        if self.logged.is_none_or(|logged| now - logged >= LOG) {
            self.logged = Some(now);
            let (kind, error, total) = (T::KIND.name, one_line(error), errors.get());
            tracing::warn!(kind, object = %key, error, total, "cannot decode an object");
        }
    }

    /// Notes that everything up to `version` has come.
    fn reach(&mut self, version: &str) -> Result<(), Trouble> {
        // Versions are opaque to all but equality, says the API; in truth they count.
        let number = |version: &str| version.parse::<u64>().ok();
        if let (Some(old), Some(new)) = (number(&self.version), number(version))
            && new < old
        {
            return Err(Trouble::Regressed);
        }
        // An undecodable object may have none.
        if !version.is_empty() {
            version.clone_into(&mut self.version);
        }
        Ok(())
    }

    async fn prove(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        if self.proved.is_some_and(|proved| now - proved < PROOF) {
            return Ok(());
        }
        self.proved = Some(now);
        self.send(Event::Proved).await
    }

    /// Waits for the owner to have room: a lost event would be wrong for ever.
    async fn send(&self, event: Event<T>) -> Result<(), Trouble> {
        self.task.beat();
        self.changes.send(event.into()).await.map_err(|_| Trouble::Orphaned)
    }

    /// Decides how to go on, and returns how long to wait before.
    fn judge(&mut self, trouble: &Trouble) -> Duration {
        let now = Instant::now();
        if let Some(live) = self.live.take() {
            self.backoff.heal(now - live);
        }
        self.barred = match (trouble, self.barred) {
            (Trouble::Refused { code: 403 | 404, .. }, Some(barred)) => Some(barred),
            (Trouble::Refused { code: code @ (403 | 404), .. }, None) => Some((*code, now)),
            _ => None,
        };
        match trouble {
            Trouble::Unsupported(_) => Duration::ZERO,
            Trouble::Refused { code: 410, .. } | Trouble::Regressed => {
                self.version.clear();
                if self.relisted.is_some_and(|last| now - last < CALM) {
                    return self.backoff.pause();
                }
                self.relisted = Some(now);
                Duration::ZERO
            }
            Trouble::Refused { retry_after: Some(wait), .. } => {
                self.backoff.pause().max((*wait).min(LONGEST_WAIT))
            }
            Trouble::Unreachable(_) | Trouble::Silent => self.backoff.pause().min(UNREACHABLE),
            _ => {
                let pause = self.backoff.pause();
                // What is about to be said of the kind should not wait for the next but one try.
                match self.barred {
                    Some((_, since)) if now - since < BARRED => {
                        pause.min(BARRED.saturating_sub(now - since))
                    }
                    _ => pause,
                }
            }
        }
    }

    /// Returns why the kind cannot be read, once that has lasted.
    fn is_barred(&self) -> Option<Unanswered> {
        let (code, since) = self.barred?;
        if since.elapsed() < BARRED {
            return None;
        }
        match code {
            403 => Some(Unknown::Forbidden(<T as Fact>::KIND.name).into()),
            // Every cluster has the core group: this is another server.
            404 if T::KIND.group.is_empty() => None,
            404 => Some(Skipped::NotInstalled.into()),
            _ => None,
        }
    }
}

fn read<T: Watched>(line: &[u8]) -> Result<Line<T>, Trouble> {
    Line::read(line).map_err(|error| garbled(&error))
}

fn garbled(error: &serde_json::Error) -> Trouble {
    Trouble::Garbled(one_line(&error.to_string()))
}
