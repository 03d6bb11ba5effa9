//! Waits that look at real state until a deadline, and say at the end what was still missing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Looks until `look` gives what is waited for; its `Err` says what is still missing. Returns how long it took, too.
///
/// # Panics
///
/// Panics at the deadline, with `what` and the last thing missing.
pub(crate) fn timed<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> (T, Duration) {
    let started = Instant::now();
    loop {
        let missing = match look() {
            Ok(got) => return (got, started.elapsed()),
            Err(missing) => missing,
        };
        assert!(
            started.elapsed() < within,
            "waited {:.0} s for: {what}. Still: {missing}",
            within.as_secs_f64()
        );
        sleep(PAUSE);
    }
}

/// Looks until `look` gives what is waited for.
///
/// # Panics
///
/// Panics at the deadline.
pub(crate) fn until<T>(what: &str, within: Duration, look: impl FnMut() -> Result<T, String>) -> T {
    timed(what, within, look).0
}

/// `Ok` when it holds, else what is missing.
pub(crate) fn holds(it: bool, missing: impl FnOnce() -> String) -> Result<(), String> {
    if it { Ok(()) } else { Err(missing()) }
}

/// Undoes something in a `Drop`. Where a panic is on its way already, a second one would end the whole lane: it is only
/// printed then.
pub(crate) fn undo(how: impl FnOnce()) {
    if !panicking() {
        return how();
    }
    // The hook has printed why.
    let _ = catch_unwind(AssertUnwindSafe(how));
}

/// Seconds.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
