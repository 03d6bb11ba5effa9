//! Sends echo requests from a socket that needs no right but an open sysctl.
//!
//! Times are not told: the library stamps after sending, when the answer is often there already. A
//! router's "unreachable" reads as a timeout.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use socket2::Type;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence, SurgeError};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::errno;
use crate::model::Failure;

/// What to do where echo requests are not permitted.
const REMEDY: &str = "open the sysctl net.ipv4.ping_group_range to \"0 2147483647\": in the pod's \
                      securityContext, and for agents on the host's network on the node";

/// As much as `ping` sends.
const PAYLOAD: [u8; 56] = [0; 56];

/// Between two questions whether the sockets still work, or may be opened now.
pub(super) const CANARY: Duration = Duration::from_secs(30);

/// For each of the few requests of one question.
const PATIENCE: Duration = Duration::from_secs(1);

/// The sockets, one for each family.
#[derive(Default)]
pub struct Echo {
    v4: ArcSwapOption<Client>,
    v6: ArcSwapOption<Client>,
    sequence: AtomicU16,
    opened: Notify,
}

impl fmt::Debug for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Echo").finish_non_exhaustive()
    }
}

impl Echo {
    /// Opens the sockets, and logs once where they are not permitted.
    pub fn open() -> Self {
        let echo = Self::default();
        if let Err(error) = echo.try_open() {
            tracing::warn!(%error, remedy = REMEDY, "icmp probes are off");
        }
        echo
    }

    fn try_open(&self) -> io::Result<()> {
        self.v4.store(Some(client(ICMP::V4)?.into()));
        // The same sysctl opens both; a node without IPv6 has no such targets.
        self.v6.store(client(ICMP::V6).ok().map(Into::into));
        Ok(())
    }

    /// Returns once the sockets are permitted that were not.
    pub async fn opened(&self) {
        self.opened.notified().await;
    }

    /// Tells whether any target can be asked.
    pub fn is_open(&self) -> bool {
        self.supports(LOCALHOST)
    }

    /// Tells whether `target` can be asked at all.
    pub fn supports(&self, target: IpAddr) -> bool {
        self.client(target).load().is_some()
    }

    /// Asks `target` for an echo.
    ///
    /// # Errors
    ///
    /// Returns [`Failure::Timeout`] once `deadline` has passed, and before that why the request
    /// did not leave.
    pub async fn ask(&self, target: IpAddr, deadline: Duration) -> Result<(), Failure> {
        let Some(client) = self.client(target).load_full() else { return Err(Failure::Local) };
        // The kernel chooses the id, so a number of its own tells an answer from a late one.
        let sequence = PingSequence(self.sequence.fetch_add(1, Ordering::Relaxed));
        let mut pinger = client.pinger(target, PingIdentifier(0)).await;
        match pinger.timeout(deadline).ping(sequence, &PAYLOAD).await {
            Ok(_) => Ok(()),
            Err(SurgeError::Timeout { .. }) => Err(Failure::Timeout),
            Err(SurgeError::IOError(error)) => Err(errno::classify(&error)),
            // Two requests alike, or a socket that was just replaced.
            Err(_) => Err(Failure::Local),
        }
    }

    /// Asks the machine itself now and then, and opens the sockets anew when it is silent: the
    /// task that receives can end without a word. Where they are not permitted, tries again.
    pub async fn watch(&self, mut alive: impl FnMut()) {
        let mut silent = false;
        loop {
            alive();
            sleep(CANARY).await;
            if self.is_open() {
                silent = self.mend(silent, PATIENCE).await;
            } else if self.try_open().is_ok() {
                tracing::info!("icmp probes are on");
                self.opened.notify_one();
            }
        }
    }

    /// Tells whether the machine is silent, and opens the sockets anew where it was not: a second
    /// time would help as little, and cost the requests that are under way.
    async fn mend(&self, was_silent: bool, patience: Duration) -> bool {
        if self.hears(patience).await {
            return false;
        }
        if !was_silent {
            tracing::warn!(
                remedy = "set the sysctl net.ipv4.icmp_echo_ignore_all to 0 where it is 1",
                "the machine does not answer its own echo requests, opening anew once"
            );
            for (socket, family) in [(&self.v4, ICMP::V4), (&self.v6, ICMP::V6)] {
                match client(family) {
                    Ok(client) => socket.store(Some(client.into())),
                    Err(error) => tracing::warn!(%error, "cannot open an echo socket"),
                }
            }
        }
        true
    }

    async fn hears(&self, patience: Duration) -> bool {
        for _ in 0..3 {
            if self.ask(LOCALHOST, patience).await.is_ok() {
                return true;
            }
        }
        false
    }

    fn client(&self, target: IpAddr) -> &ArcSwapOption<Client> {
        if target.is_ipv4() { &self.v4 } else { &self.v6 }
    }
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn client(family: ICMP) -> io::Result<Client> {
    let client = Client::new(&Config::builder().kind(family).build())
        // The library's text is four lines long.
        .map_err(|error| io::Error::new(error.kind(), "no echo socket is permitted"))?;
    // It takes a raw socket where the other is denied: that one hears all that the machine does.
    if client.get_socket().get_type() == Type::DGRAM {
        Ok(client)
    } else {
        Err(io::Error::other("only a raw socket is permitted"))
    }
}

#[cfg(test)]
pub(super) mod tests;
