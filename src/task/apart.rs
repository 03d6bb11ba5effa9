//! Work that may block: on a thread of its own, and waited for only so long.
//!
//! The runtime's threads for blocking work are few and shared: four lookups that a dead DNS server
//! holds would hold up every other caller too. A thread of its own waits for no other.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// At most so many threads: those that a dead file system holds do not end.
const MOST: usize = 64;

static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Returns what `work` does on a thread of its own.
///
/// # Errors
///
/// Fails when it panics or has no thread.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, awaited) = oneshot::channel();
    begin(move || _ = done.send(work()))?;
    awaited.await.map_err(|_| panicked())
}

/// The same for work that may hang: its thread is left to itself after `deadline`.
///
/// # Errors
///
/// As [`apart`], and when it takes longer.
pub async fn apart_within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    timeout(deadline, apart(work)).await.unwrap_or_else(|_| Err(late(deadline)))
}

/// The same for the thread that starts the program.
///
/// # Errors
///
/// As [`apart_within`].
pub fn apart_blocking<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, awaited) = mpsc::sync_channel(1);
    begin(move || _ = done.send(work()))?;
    awaited.recv_timeout(deadline).map_err(|error| match error {
        RecvTimeoutError::Timeout => late(deadline),
        RecvTimeoutError::Disconnected => panicked(),
    })
}

fn begin(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let place = Permit::take()?;
    let begun = thread::Builder::new().name("apart".to_owned()).spawn(move || {
        let _place = place;
        work();
    });
    begun.map(|_| ())
}

fn late(deadline: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("not done within {deadline:?}"))
}

fn panicked() -> io::Error {
    io::Error::other("the work panicked: the log says where")
}

/// The right to one of the threads; a panic gives it back too.
struct Permit;

impl Permit {
    fn take() -> io::Result<Self> {
        if RUNNING.fetch_add(1, Ordering::Relaxed) < MOST {
            return Ok(Self);
        }
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        Err(io::Error::other("too many earlier ones hang: look for a dead file system"))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn work_that_hangs_or_panics_is_an_error_and_holds_up_no_other() {
        let (release, held) = mpsc::channel::<()>();
        let hangs = apart_within(Duration::from_millis(1), move || held.recv()).await;
        assert_eq!(hangs.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let panics = apart_within(SOON, || panic!("on purpose")).await;
        assert_eq!(panics.map(|()| 0).unwrap_err().to_string(), panicked().to_string());
        assert_eq!(apart_within(SOON, || 7).await.unwrap(), 7);
        drop(release);
    }

    #[test]
    fn a_thread_without_a_runtime_waits_no_longer_either() {
        let (release, held) = mpsc::channel::<()>();
        let hangs = apart_blocking(Duration::from_millis(1), move || held.recv());
        assert_eq!(hangs.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(apart_blocking(SOON, || panic!("on purpose")).map(|()| 0).is_err());
        assert_eq!(apart_blocking(SOON, || 7).unwrap(), 7);
        drop(release);
    }
}
