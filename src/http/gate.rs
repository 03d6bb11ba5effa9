//! Admits connections: so many in all, so many from one address, and none whose client takes an
//! answer too slowly.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::counters::{Counters, Rejected};
use super::seats::{Seat, Seats};

/// Admits connections; clones share the places.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) limits: Limits,
    pub(super) counts: Arc<Counters>,
    seats: Arc<Mutex<Seats>>,
}

impl Gate {
    pub(super) fn new(limits: Limits, counts: Arc<Counters>) -> Self {
        Self { limits, counts, seats: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Nothing that may panic happens under the lock.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, stream: TcpStream) -> io::Result<Admitted> {
        let peer = stream.peer_addr()?;
        let taken = self.lock().take(peer, &self.limits);
        let taken = taken.map_err(|why| {
            self.counts.reject(why);
            io::Error::other(match why {
                Rejected::Address => "too many connections from this address",
                _ => "too many connections",
            })
        })?;
        if let Some(why) = taken.displaced {
            self.counts.reject(why);
        }
        self.counts.connections.inc();
        let stay = Stay { seat: taken.seat, gate: self.clone() };
        Ok(Admitted { stream, deadline: None, stay })
    }

    /// Returns the place of the connection with this peer.
    pub(super) fn seat(&self, peer: SocketAddr) -> Option<Arc<Seat>> {
        self.lock().of(peer)
    }
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
    seat: Arc<Seat>,
    gate: Gate,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.gate.counts.connections.dec();
        self.gate.lock().leave(&self.seat);
    }
}

/// A connection that ends when it has to make room, or when its client has not taken a whole
/// answer in time: each byte would begin a shorter wait anew.
#[derive(Debug)]
pub(super) struct Admitted {
    stream: TcpStream,
    deadline: Option<Pin<Box<Sleep>>>,
    stay: Stay,
}

impl Admitted {
    /// Tells whether the connection is to end because another needs its place.
    fn poll_over(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let why = || io::Error::new(io::ErrorKind::ConnectionAborted, "another needs the place");
        self.stay.seat.poll_over(context).map(|()| Err(why()))
    }

    /// Passes on what a write came to, unless the answer has taken too long.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = self.poll_over(context) {
            return Poll::Ready(Err(error));
        }
        let longest = self.stay.gate.limits.answer;
        let since = self.stay.seat.busy_since();
        if since.is_some_and(|since| since.elapsed() >= longest) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if wrote.is_ready() {
            self.deadline = None;
            return wrote;
        }
        let deadline = self.deadline.get_or_insert_with(|| {
            Box::pin(sleep_until(since.unwrap_or_else(Instant::now) + longest))
        });
        match deadline.as_mut().poll(context) {
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
        match self.poll_over(context) {
            Poll::Pending => Pin::new(&mut self.stream).poll_read(context, buffer),
            over => over,
        }
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
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            // It is asked for when nothing is left to be written.
            self.stay.seat.sent();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
