//! The places of connections: when none is left, the one that has been idle the longest goes.
//!
//! Idle connections cost a client nothing. Were new ones refused instead, a handful of clients
//! could shut out Prometheus and the kubelet's probes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;
use super::counters::Rejected;

/// Places beyond the limit, where only probes of health are answered: a server that is busy is
/// not to be taken for a dead one.
const SPARE: usize = 4;

/// An answer that is under way for so long may have to make room: a scrape takes less.
const SLOW: Duration = Duration::from_secs(5);

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) peer: SocketAddr,
    /// Whether only probes of health are answered here.
    pub(super) spare: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    doing: Doing,
    /// Since when.
    since: Instant,
    is_over: bool,
    /// Of the task that serves the connection.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doing {
    /// Waits for a request, or for the rest of one.
    Idle,
    /// Answers one.
    Busy,
    /// The same, when all of the answer is with the connection and not yet sent.
    Last,
}

impl Seat {
    fn new(peer: SocketAddr, spare: bool) -> Self {
        let (doing, since) = (Doing::Idle, Instant::now());
        let state = Mutex::new(State { doing, since, is_over: false, waker: None });
        Self { peer, spare, state }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that may panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to answer; the answer is with the connection when what this returns goes.
    pub(super) fn begin(self: Arc<Self>) -> Busy {
        let mut state = self.lock();
        (state.doing, state.since) = (Doing::Busy, Instant::now());
        drop(state);
        Busy(self)
    }

    /// Everything that the connection had has been sent.
    pub(super) fn sent(&self) {
        let mut state = self.lock();
        if state.doing == Doing::Last {
            (state.doing, state.since) = (Doing::Idle, Instant::now());
        }
    }

    /// Since when an answer is under way, if one is.
    pub(super) fn busy_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.doing != Doing::Idle).then_some(state.since)
    }

    /// Whether the connection is to end; the task is woken once it is.
    pub(super) fn poll_over(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_over {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// An answer that is under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.doing == Doing::Busy {
            state.doing = Doing::Last;
        }
    }
}

/// The places that are taken, in the order in which they were.
#[derive(Debug, Default)]
pub(super) struct Seats(Vec<Arc<Seat>>);

/// A place, and the limit for which another connection had to go.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) seat: Arc<Seat>,
    pub(super) displaced: Option<Rejected>,
}

impl Seats {
    /// Gives a new connection its place.
    ///
    /// # Errors
    ///
    /// Returns the limit, when every place is one of an answer that has just begun.
    pub(super) fn take(&mut self, peer: SocketAddr, limits: &Limits) -> Result<Taken, Rejected> {
        let own = peer.ip().to_canonical();
        let of_own = |seat: &Seat| !seat.spare && seat.peer.ip().to_canonical() == own;
        let regular = |seat: &Seat| !seat.spare;
        let count = |of: &dyn Fn(&Seat) -> bool| self.0.iter().filter(|seat| of(seat)).count();
        let (why, victim) = if count(&of_own) >= limits.of_address {
            (Rejected::Address, self.victim(of_own))
        } else if count(&regular) >= limits.connections {
            (Rejected::Connections, self.victim(regular))
        } else {
            return Ok(self.seat(peer, false, None));
        };
        if let Some(victim) = victim {
            return Ok(self.seat(peer, false, Some((victim, why))));
        }
        let spare = |seat: &Seat| seat.spare;
        if count(&spare) < SPARE {
            return Ok(self.seat(peer, true, None));
        }
        let victim = self.victim(spare).ok_or(why)?;
        Ok(self.seat(peer, true, Some((victim, why))))
    }

    fn seat(&mut self, peer: SocketAddr, spare: bool, goes: Option<(usize, Rejected)>) -> Taken {
        if let Some((victim, _)) = goes {
            self.0.remove(victim).end();
        }
        let seat = Arc::new(Seat::new(peer, spare));
        self.0.push(seat.clone());
        Taken { seat, displaced: goes.map(|(_, why)| why) }
    }

    /// Returns the place that has been idle the longest; without one, that of the longest answer.
    fn victim(&self, of: impl Fn(&Seat) -> bool) -> Option<usize> {
        let seats = self.0.iter().enumerate().filter(|(_, seat)| of(seat));
        let eldest = seats.map(|(place, seat)| {
            let state = seat.lock();
            (state.doing != Doing::Idle, state.since, place)
        });
        let (is_busy, since, place) = eldest.min()?;
        (!is_busy || since.elapsed() >= SLOW).then_some(place)
    }

    /// Frees a place.
    pub(super) fn leave(&mut self, seat: &Arc<Seat>) {
        self.0.retain(|it| !Arc::ptr_eq(it, seat));
    }

    /// Returns the place of the connection with this peer; a port may have come again.
    pub(super) fn of(&self, peer: SocketAddr) -> Option<Arc<Seat>> {
        self.0.iter().rfind(|seat| seat.peer == peer).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::advance;

    use super::*;

    const LIMITS: Limits = Limits { connections: 3, of_address: 2, ..Limits::CLUSTER };

    fn peer(last: u8, port: u16) -> SocketAddr {
        (IpAddr::from([10, 0, 0, last]), port).into()
    }

    fn is_over(seat: &Seat) -> bool {
        seat.poll_over(&Context::from_waker(Waker::noop())).is_ready()
    }

    fn take(seats: &mut Seats, peer: SocketAddr) -> (Arc<Seat>, bool) {
        let taken = seats.take(peer, &LIMITS).unwrap();
        (taken.seat, taken.displaced.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_goes_and_of_one_address_only_its_own() {
        let mut seats = Seats::default();
        let mut taken = Vec::new();
        for (last, port) in [(1, 1), (2, 1), (2, 2)] {
            let (seat, displaced) = take(&mut seats, peer(last, port));
            assert!(!displaced && !seat.spare);
            taken.push(seat);
            advance(Duration::from_secs(1)).await;
        }
        assert!(take(&mut seats, peer(2, 3)).1);
        assert_eq!([0, 1, 2].map(|place| is_over(&taken[place])), [false, true, false]);
        assert!(take(&mut seats, peer(3, 1)).1);
        assert_eq!([0, 1, 2].map(|place| is_over(&taken[place])), [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_makes_room_only_when_it_is_slow_and_probes_have_spare_places() {
        let mut seats = Seats::default();
        let seated: Vec<_> = (1..=3).map(|last| take(&mut seats, peer(last, 1)).0).collect();
        let _busy: Vec<_> = seated.iter().map(|seat| seat.clone().begin()).collect();
        let spare: Vec<_> = (0..SPARE).map(|_| take(&mut seats, peer(9, 1)).0).collect();
        assert!(spare.iter().all(|seat| seat.spare));
        let (another, displaced) = take(&mut seats, peer(9, 2));
        assert!(another.spare && displaced && is_over(&spare[0]));
        let probes: Vec<_> =
            spare[1..].iter().chain([&another]).map(|seat| seat.clone().begin()).collect();
        assert_eq!(seats.take(peer(9, 3), &LIMITS).unwrap_err(), Rejected::Connections);
        drop(probes);

        advance(SLOW).await;
        let (regular, displaced) = take(&mut seats, peer(4, 1));
        assert!(!regular.spare && displaced && is_over(&seated[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_idle_once_all_of_its_answer_is_sent() {
        let seat = Seats::default().take(peer(1, 1), &LIMITS).unwrap().seat;
        let busy = seat.clone().begin();
        let start = Instant::now();
        advance(Duration::from_secs(1)).await;
        seat.sent();
        assert_eq!(seat.busy_since(), Some(start), "the head was");
        drop(busy);
        assert_eq!(seat.busy_since(), Some(start), "what it had last may not be");
        seat.sent();
        assert_eq!(seat.busy_since(), None);
    }
}
