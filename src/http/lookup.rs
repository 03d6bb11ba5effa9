//! Looking names up, without taking all threads for it.
//!
//! The system's resolver cannot be interrupted: whoever gives a lookup up gets no thread back
//! until it has ended by itself, half a minute later, and there are few. So one caller has one
//! lookup under way, and goes on waiting for it where it gave it up before.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

type Found = io::Result<Option<SocketAddr>>;

/// The lookups of one caller; clones share them.
#[derive(Clone, Debug)]
pub struct Lookup {
    room: Arc<Semaphore>,
    /// What was given up, by `host:port`.
    left: Arc<Mutex<BTreeMap<String, JoinHandle<Found>>>>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(1)), left: Arc::default() }
    }
}

impl Lookup {
    /// Returns the first address of `name`, which is `host:port`.
    ///
    /// # Errors
    ///
    /// Returns that there is none within `deadline`, as [`io::ErrorKind::TimedOut`], or what the
    /// system's resolver says.
    pub async fn first(&self, name: &str, deadline: Duration) -> io::Result<SocketAddr> {
        // An address needs no thread.
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        let name = name.to_owned();
        self.found(name.clone(), deadline, async { Ok(lookup_host(name).await?.next()) }).await
    }

    async fn found(
        &self,
        name: String,
        deadline: Duration,
        look: impl Future<Output = Found> + Send + 'static,
    ) -> io::Result<SocketAddr> {
        let left = self.lock().remove(&name);
        let mut looking = left.unwrap_or_else(|| {
            let room = self.room.clone();
            tokio::spawn(async move {
                let _permit = room.acquire().await.map_err(io::Error::other)?;
                look.await
            })
        });
        match timeout(deadline, &mut looking).await {
            Ok(found) => found??.ok_or_else(|| io::Error::other("it has no address")),
            Err(_) => {
                self.lock().insert(name, looking);
                Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, JoinHandle<Found>>> {
        // Nothing that holds it panics.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_was_given_up_is_waited_for_again_and_no_other_begins() {
        let lookup = Lookup::default();
        let (answer, answered) = oneshot::channel();
        let [a, b] = ["10.0.0.1:1", "10.0.0.2:1"].map(|address| address.parse().unwrap());
        let slow = async { answered.await.unwrap() };
        let late = lookup.found("a:1".into(), DEADLINE, slow).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let late = lookup.found("b:1".into(), DEADLINE, async move { Ok(Some(b)) }).await;
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut, "another is under way");
        answer.send(Ok(Some(a))).unwrap();
        for (name, address) in [("a:1", a), ("b:1", b)] {
            let found = lookup.found(name.into(), DEADLINE, pending()).await;
            assert_eq!(found.unwrap(), address, "what was left");
        }
        let none = lookup.found("a:1".into(), DEADLINE, async { Ok(None) }).await.unwrap_err();
        assert_eq!(none.to_string(), "it has no address", "and then anew");
    }

    #[tokio::test]
    async fn an_address_is_not_looked_up() {
        let lookup = Lookup::default();
        let stuck = lookup.found("a:1".into(), Duration::ZERO, pending()).await;
        assert_eq!(stuck.unwrap_err().kind(), io::ErrorKind::TimedOut);
        for address in ["127.0.0.1:1", "[::1]:1"] {
            let found = lookup.first(address, DEADLINE).await.unwrap();
            assert_eq!(found.to_string(), address);
        }
    }
}
