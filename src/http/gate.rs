//! Who may connect: so many in all, so many from one address, and nobody who reads nothing.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::Limits;
use super::counts::{Counts, Rejected};

/// Admits connections.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    limits: Limits,
    counts: Arc<Counts>,
    /// Open connections by the peer's address.
    peers: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Gate {
    pub(super) fn new(limits: Limits, counts: Arc<Counts>) -> Self {
        Self { limits, counts, peers: Arc::default() }
    }

    fn admit(&self, stream: TcpStream) -> io::Result<Admitted> {
        let peer = stream.peer_addr()?.ip().to_canonical();
        let mut peers = open(&self.peers);
        let (all, of_peer) = (peers.values().sum::<usize>(), peers.get(&peer).copied());
        let full = if all >= self.limits.connections {
            Some(Rejected::Connections)
        } else if of_peer.unwrap_or(0) >= self.limits.of_address {
            Some(Rejected::Address)
        } else {
            None
        };
        if let Some(why) = full {
            self.counts.reject(why);
            return Err(io::Error::other(match why {
                Rejected::Address => "too many connections from this address",
                _ => "too many connections",
            }));
        }
        *peers.entry(peer).or_default() += 1;
        self.counts.connections.inc();
        drop(peers);
        let stay = Stay { peer, gate: self.clone() };
        Ok(Admitted { stream, stall: self.limits.stall, waiting: None, _stay: stay })
    }
}

/// Nothing that may panic happens under the lock.
fn open(peers: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    peers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Admitted;
    type Service = S;
    type Future = Ready<io::Result<(Admitted, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.admit(stream).map(|admitted| (admitted, service)))
    }
}

/// One connection's place; it is free again when this goes.
#[derive(Debug)]
struct Stay {
    peer: IpAddr,
    gate: Gate,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.gate.counts.connections.dec();
        let mut peers = open(&self.gate.peers);
        if let Some(count) = peers.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                peers.remove(&self.peer);
            }
        }
    }
}

/// A connection that ends when its peer takes no byte of an answer for too long.
#[derive(Debug)]
pub(super) struct Admitted {
    stream: TcpStream,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    _stay: Stay,
}

impl Admitted {
    /// Passes on what a write came to, unless it has waited for too long.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.waiting = None;
            return wrote;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.stall)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Admitted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
