//! What comes next, without a server.

use super::*;
use crate::model::{Fact, Pod};

/// A course, and the time since its start.
struct Trial {
    course: Course,
    start: Instant,
    now: Instant,
}

impl Trial {
    fn new() -> Self {
        let now = Instant::now();
        Self { course: Course::new(Pod::KIND), start: now, now }
    }

    /// Listed at version 7.
    fn listed() -> Self {
        let mut trial = Self::new();
        trial.list("7");
        trial
    }

    fn list(&mut self, version: &str) {
        self.course.begin();
        self.course.listed(self.now, version.to_owned()).unwrap();
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn next(&self) -> Step {
        self.course.next(self.now)
    }

    /// Compares if that is due, and then begins the watch that is next.
    fn open(&mut self) -> Duration {
        if self.next() == Step::Compare {
            let version = self.course.version().to_owned();
            self.course.compared(self.now, &version).unwrap();
        }
        let Step::Watch(length) = self.next() else { panic!("{:?}", self.next()) };
        assert!(self.course.accepted(self.now));
        length
    }

    /// Has a watch end in time and without a line; returns whether that proves life.
    fn quiet(&mut self) -> bool {
        let length = self.open();
        self.now += length;
        self.course.ended(self.now, length, length, true).unwrap()
    }

    fn fail(&mut self, error: &WatchError) -> After {
        let step = self.next();
        self.fail_at(step, error)
    }

    fn fail_at(&mut self, step: Step, error: &WatchError) -> After {
        let after = self.course.failed(self.now, step, error);
        self.now += after.pause;
        after
    }
}

fn refused(code: u16) -> WatchError {
    WatchError::Refused { code, message: String::new(), retry_after: None }
}

fn garbled() -> WatchError {
    WatchError::Garbled(String::new())
}

#[test]
fn a_list_comes_first_then_watches_and_once_a_minute_a_comparison() {
    let mut trial = Trial::new();
    assert_eq!(trial.next(), Step::Stream);
    trial.list("7");
    let mut steps = Vec::new();
    for _ in 0..4 {
        steps.push(trial.next());
        assert!(trial.quiet(), "the regular end of a watch is a proof");
    }
    assert_eq!(steps, [Step::Watch(WATCH), Step::Watch(WATCH), Step::Compare, Step::Watch(WATCH)]);
    trial.later(8 * 3600);
    assert_eq!(trial.next(), Step::Stream, "a list is due although all is well");
}

#[test]
fn a_list_goes_in_pages_where_a_stream_came_to_nothing() {
    for (error, next) in [
        (WatchError::Unsupported(String::new()), Step::List(500)),
        (WatchError::Silent, Step::List(500)),
        (WatchError::Endless, Step::List(500)),
        (garbled(), Step::List(500)),
        (refused(403), Step::Stream),
        (refused(429), Step::Stream),
        (WatchError::Unreachable(String::new()), Step::Stream),
    ] {
        let mut trial = Trial::new();
        trial.fail(&error);
        assert_eq!(trial.next(), next, "{error}");
    }
    let mut trial = Trial::new();
    trial.fail(&WatchError::Oversized);
    for limit in [500, 50, 5, 1, 1] {
        assert_eq!(trial.next(), Step::List(limit));
        trial.fail(&WatchError::Oversized);
    }
}

#[test]
fn only_an_object_a_bookmark_or_a_regular_end_proves_life() {
    let mut trial = Trial::listed();
    let length = trial.open();
    for (lasted, quiet, proves) in
        [(30, true, Some(true)), (24, true, None), (25, true, Some(true)), (0, false, None)]
    {
        let mut trial = Trial::listed();
        trial.open();
        trial.later(lasted);
        let ended = trial.course.ended(trial.now, length, Duration::from_secs(lasted), quiet);
        assert_eq!(ended.ok(), proves, "after {lasted} s, quiet: {quiet}");
    }
    trial.later(6);
    assert!(trial.course.reached(trial.now, "8").unwrap());
    trial.later(1);
    assert!(!trial.course.reached(trial.now, "9").unwrap(), "it was passed on a second ago");
}

#[test]
fn after_a_watch_that_ended_badly_the_second_regular_end_is_a_proof() {
    for error in [garbled(), WatchError::Silent, WatchError::Cut, refused(500)] {
        let mut trial = Trial::listed();
        trial.open();
        trial.fail_at(Step::Watch(WATCH), &error);
        assert_eq!(trial.next(), Step::Compare, "after each reconnect");
        let before = trial.now;
        assert!(!trial.quiet(), "{error}");
        assert!(trial.quiet(), "{error}");
        assert_eq!(trial.now - before, 2 * PROBATION, "soon");
        assert_eq!(trial.open(), WATCH);
    }
}

#[test]
fn garbage_again_and_again_leads_to_a_list() {
    let mut trial = Trial::listed();
    for _ in 0..3 {
        trial.open();
        trial.fail_at(Step::Watch(WATCH), &garbled());
        trial.open();
        trial.fail_at(Step::Watch(WATCH), &WatchError::Oversized);
        assert_eq!(trial.next(), Step::Stream);
        trial.list("7");
    }
    let mut trial = Trial::listed();
    for _ in 0..9 {
        trial.open();
        assert!(trial.course.reached(trial.now, "8").is_ok());
        trial.fail_at(Step::Watch(WATCH), &garbled());
        assert_eq!(trial.next(), Step::Compare, "what comes between is believed");
    }
    let mut trial = Trial::listed();
    for _ in 0..9 {
        trial.fail_at(Step::Watch(WATCH), &WatchError::Unreachable(String::new()));
        assert_eq!(trial.next(), Step::Compare, "no answer is no garbage");
    }
}

#[test]
fn a_version_that_goes_back_leads_to_a_list_at_once_and_then_ever_slower() {
    let mut trial = Trial::listed();
    let mut pauses = Vec::new();
    for _ in 0..3 {
        assert!(trial.course.compared(trial.now, "8").is_ok());
        assert!(trial.course.compared(trial.now, "of another kind").is_ok());
        let error = trial.course.compared(trial.now, "6").unwrap_err();
        pauses.push(trial.fail(&error).pause.as_secs());
        assert_eq!(trial.next(), Step::Stream);
        trial.list("6");
        assert_eq!(trial.course.version(), "6", "the list is right, even an older one");
        trial.list("7");
    }
    assert!(pauses[0] == 0 && (1..3).contains(&pauses[1]) && pauses[2] >= 2, "{pauses:?}");
    assert!(matches!(trial.course.reached(trial.now, "6"), Err(WatchError::Regressed)));
}

#[test]
fn pauses_double_and_a_server_may_ask_for_longer_ones() {
    let pauses = |error: &WatchError| -> Vec<u64> {
        let mut trial = Trial::listed();
        let pause = |_| trial.fail_at(Step::Watch(WATCH), error).pause.as_secs();
        (0..8).map(pause).collect()
    };
    for (error, most) in
        [(refused(500), 60), (WatchError::Silent, 30), (WatchError::Unreachable(String::new()), 30)]
    {
        let pauses = pauses(&error);
        assert!((1..=2).contains(&pauses[0]) && pauses[7].abs_diff(most) <= most / 2, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= most), "{error}: {pauses:?}");
    }
    for (asks, least) in [(7, 7), (86_400, 60)] {
        let retry_after = Some(Duration::from_secs(asks));
        let busy = WatchError::Refused { code: 429, message: String::new(), retry_after };
        assert_eq!(pauses(&busy)[0], least);
    }
}

#[test]
fn forbidden_is_said_once_it_has_lasted() {
    let mut trial = Trial::new();
    let (after, said) = loop {
        let after = trial.now - trial.start;
        if let Some(said) = trial.fail(&refused(403)).unavailable {
            break (after, said);
        }
    };
    assert_eq!(said, Unknown::Forbidden("Pod"));
    assert!((FORBIDDEN..FORBIDDEN + SHORTEST).contains(&after), "{after:?}");
    let mut trial = Trial::new();
    trial.fail(&refused(403));
    trial.later(20);
    trial.fail(&WatchError::Silent);
    assert_eq!(trial.fail(&refused(403)).unavailable, None, "it was something else between");
}

#[test]
fn a_watch_that_is_forbidden_is_not_hidden_by_lists_that_are_allowed() {
    let mut trial = Trial::listed();
    for _ in 0..20 {
        if trial.next() == Step::Compare {
            trial.course.compared(trial.now, "7").unwrap();
        }
        trial.fail_at(Step::Watch(WATCH), &refused(403));
    }
    trial.later(8 * 3600);
    assert_eq!(trial.next(), Step::Compare, "no list");
    assert!(!trial.course.accepted(trial.now), "it is allowed again");
    assert_eq!(trial.next(), Step::Stream);
    trial.list("9");
    trial.open();
}
