//! How one kind is followed: what comes next, what proves life, how long to wait after an error.
//!
//! Pure: `follow` does what this says, and tells it what came of it and when.

use std::time::Duration;

use tokio::time::Instant;

use super::error::WatchError;
use crate::model::{Kind, Unknown};
use crate::task::Backoff;

/// How long a watch lasts. A quiet one proves life when it ends, so this is how soon an outage is
/// seen, for the price of one request.
pub(super) const WATCH: Duration = Duration::from_secs(30);

/// How long a watch lasts after one that ended badly, until there is a proof of life again.
const PROBATION: Duration = Duration::from_secs(6);

/// How far from its time a watch may end: a sixth of it.
pub(super) fn margin(length: Duration) -> Duration {
    length / 6
}

/// Even a watch that brought something is not over sooner.
const SHORTEST: Duration = Duration::from_secs(1);

/// So many watches in a row that end badly lead to a list: news may have been lost in them.
const BAD: u32 = 2;

/// Between two comparisons of the versions, less what a watch lasts.
const COMPARE: Duration = Duration::from_secs(45);

/// Objects in a page, at first.
const PAGE: u32 = 500;

/// A starting API server forbids everything for its first second.
const FORBIDDEN: Duration = Duration::from_secs(10);

/// The most that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest pause while nothing answers: asking costs the server nothing, and once it is back
/// the facts should follow soon.
const UNREACHABLE: Duration = Duration::from_secs(30);

/// One relist in this time goes through at once: a restarted API server asks all for theirs.
const CALM: Duration = Duration::from_secs(120);

/// Between two proofs of life that are passed on.
const PROOF: Duration = Duration::from_secs(5);

/// Even a healthy watch is checked against a list now and then, ± 20 %.
const RELIST: Duration = Duration::from_secs(6 * 3600);

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Compare the version with the server's: a restored etcd has gone back, and would be silent.
    Compare,
    /// List by a watch that begins with every object.
    Stream,
    /// List in pages of so many objects.
    List(u32),
    /// Watch for so long.
    Watch(Duration),
}

/// What to do after an error.
#[derive(Debug, PartialEq)]
pub(super) struct After {
    /// How long to wait.
    pub(super) pause: Duration,
    /// What is to be said of the kind, if anything.
    pub(super) unavailable: Option<Unknown>,
}

/// Where the follower of one kind is.
#[derive(Debug)]
pub(super) struct Course {
    kind: &'static Kind,
    /// Everything up to here is known; empty when a list is due.
    version: String,
    /// When the next list is due although all is well.
    relist: Option<Instant>,
    /// Whether a list has ever begun.
    begun: bool,
    /// Whether the server has streaming lists, as far as is known.
    streams: bool,
    /// Whether the next list goes in pages, because the last one came to nothing.
    in_pages: bool,
    page: u32,
    /// Since when all is well.
    live: Option<Instant>,
    /// The last proof of life that was passed on.
    proved: Option<Instant>,
    /// The last comparison of the versions.
    compared: Option<Instant>,
    /// Whether the server has accepted the watch that is open now.
    open: bool,
    /// Watches that ended badly since the last proof of life.
    bad: u32,
    /// Whether the last watch ended well, so that the end of the next one proves life.
    trusted: bool,
    /// Since when the server gives no other answer than 403.
    forbidden: Option<Instant>,
    /// Whether the kind was said to be forbidden, which only the end of a list takes back.
    unavailable: bool,
    /// The last relist that went through at once.
    relisted: Option<Instant>,
    backoff: Backoff,
}

impl Course {
    pub(super) fn new(kind: &'static Kind) -> Self {
        Self {
            kind,
            version: String::new(),
            relist: None,
            begun: false,
            streams: true,
            in_pages: false,
            page: PAGE,
            live: None,
            proved: None,
            compared: None,
            open: false,
            bad: 0,
            trusted: false,
            forbidden: None,
            unavailable: false,
            relisted: None,
            backoff: Backoff::default(),
        }
    }

    /// Returns the version from which to watch.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn next(&self, now: Instant) -> Step {
        // While a watch is forbidden, a list would say that all is well.
        let due = !self.unavailable && self.relist.is_some_and(|due| now >= due);
        if self.version.is_empty() || due {
            return if self.streams && !self.in_pages {
                Step::Stream
            } else {
                Step::List(self.page)
            };
        }
        if self.compared.is_none_or(|compared| now - compared >= COMPARE) {
            return Step::Compare;
        }
        Step::Watch(if self.bad == 0 { WATCH } else { PROBATION })
    }

    /// What is known may be of a state that never was: a list is due.
    pub(super) fn doubt(&mut self) {
        self.version.clear();
    }

    /// A list begins; returns whether it is not the first.
    pub(super) fn begin(&mut self) -> bool {
        // Should the list fail, the next step is one again.
        self.version.clear();
        self.forbidden = None;
        std::mem::replace(&mut self.begun, true)
    }

    /// A list is complete up to `version`.
    pub(super) fn listed(&mut self, now: Instant, version: String) -> Result<(), WatchError> {
        if version.is_empty() {
            return Err(WatchError::Garbled("a list without resourceVersion".to_owned()));
        }
        self.version = version;
        self.relist = Some(now + RELIST.mul_f64(0.8 + 0.4 * fastrand::f64()));
        (self.in_pages, self.page) = (false, PAGE);
        (self.live, self.proved, self.compared) = (Some(now), Some(now), Some(now));
        (self.bad, self.trusted) = (0, true);
        self.unavailable = false;
        Ok(())
    }

    /// The server says that it has come to `version`.
    pub(super) fn compared(&mut self, now: Instant, version: &str) -> Result<(), WatchError> {
        if is_older(version, &self.version) {
            return Err(WatchError::Regressed);
        }
        self.compared = Some(now);
        Ok(())
    }

    /// A watch was accepted; returns whether to go on with it rather than to list.
    pub(super) fn accepted(&mut self, now: Instant) -> bool {
        if self.unavailable {
            self.version.clear();
            return false;
        }
        self.live.get_or_insert(now);
        self.forbidden = None;
        self.open = true;
        true
    }

    /// Everything up to `version` has come, by an object or a bookmark; returns whether the proof
    /// of life is to be passed on.
    pub(super) fn reached(&mut self, now: Instant, version: &str) -> Result<bool, WatchError> {
        if is_older(version, &self.version) {
            return Err(WatchError::Regressed);
        }
        // An undecodable object may have none.
        if !version.is_empty() {
            version.clone_into(&mut self.version);
        }
        (self.bad, self.trusted) = (0, true);
        Ok(self.is_news(now))
    }

    /// A watch that was to last for `length` ended after `lasted`, with or without a line; returns
    /// whether its end is a proof of life to be passed on.
    pub(super) fn ended(
        &mut self,
        now: Instant,
        length: Duration,
        lasted: Duration,
        quiet: bool,
    ) -> Result<bool, WatchError> {
        // A server ends a watch in time, or as it goes down; without a word the latter may be a
        // proxy's, for a server that is dead.
        let in_time = lasted.abs_diff(length) <= margin(length);
        if lasted < SHORTEST || (quiet && !in_time) {
            return Err(WatchError::Cut);
        }
        self.open = false;
        let proves = std::mem::replace(&mut self.trusted, true) && in_time;
        if proves {
            self.bad = 0;
        }
        Ok(proves && self.is_news(now))
    }

    fn is_news(&mut self, now: Instant) -> bool {
        let is_news = self.proved.is_none_or(|proved| now - proved >= PROOF);
        if is_news {
            self.proved = Some(now);
        }
        is_news
    }

    /// Decides how to go on after `error`, which ended `step`.
    pub(super) fn failed(&mut self, now: Instant, step: Step, error: &WatchError) -> After {
        if let Some(live) = self.live.take() {
            self.backoff.heal(now - live);
        }
        self.compared = None;
        self.change_list(step, error);
        let is_gone =
            matches!(error, WatchError::Refused { code: 410, .. } | WatchError::Regressed);
        if std::mem::take(&mut self.open) && !is_gone {
            self.trusted = false;
            self.bad += 1;
            if self.bad >= BAD {
                self.version.clear();
                self.bad = 1;
            }
        }
        let is_forbidden = matches!(error, WatchError::Refused { code: 403, .. });
        self.forbidden = is_forbidden.then(|| self.forbidden.unwrap_or(now));
        let pause = self.pause(now, error, is_gone);
        let lasts = self.forbidden.is_some_and(|since| now - since >= FORBIDDEN);
        self.unavailable |= lasts;
        After { pause, unavailable: lasts.then_some(Unknown::Forbidden(self.kind.label)) }
    }

    /// Decides how the next list is to be made.
    fn change_list(&mut self, step: Step, error: &WatchError) {
        match (step, error) {
            (Step::Stream, WatchError::Unsupported(_)) => self.streams = false,
            (Step::Stream, WatchError::Refused { .. } | WatchError::Unreachable(_)) => {}
            (Step::Stream, _) => self.in_pages = true,
            // Perhaps it is more than can be sent or read in one piece.
            (Step::List(_), WatchError::Silent | WatchError::Oversized) => {
                self.page = (self.page / 10).max(1);
            }
            _ => {}
        }
    }

    fn pause(&mut self, now: Instant, error: &WatchError, is_gone: bool) -> Duration {
        if is_gone {
            self.version.clear();
            if self.relisted.is_some_and(|last| now - last < CALM) {
                return self.backoff.pause();
            }
            self.relisted = Some(now);
            return Duration::ZERO;
        }
        match error {
            WatchError::Unsupported(_) => Duration::ZERO,
            WatchError::Refused { retry_after: Some(wait), .. } => {
                self.backoff.pause().max((*wait).min(LONGEST_WAIT))
            }
            WatchError::Unreachable(_) | WatchError::Silent => {
                self.backoff.pause().min(UNREACHABLE)
            }
            _ => {
                let pause = self.backoff.pause();
                // What is about to be said of the kind should not wait for the next but one try.
                let left = self.forbidden.map(|since| (since + FORBIDDEN).duration_since(now));
                left.filter(|left| !left.is_zero()).map_or(pause, |left| pause.min(left))
            }
        }
    }
}

/// Whether `new` is older than `old`. Versions are opaque to all but equality, says the API; in
/// truth they count.
fn is_older(new: &str, old: &str) -> bool {
    let number = |version: &str| version.parse::<u64>().ok();
    number(new).zip(number(old)).is_some_and(|(new, old)| new < old)
}

#[cfg(test)]
mod tests;
