//! A UDP socket that hears what routers and the target's kernel say about its datagrams.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::errno;
use crate::model::Failure;

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`: the error came in a packet.
const ICMP: [u8; 2] = [2, 3];

/// A socket of its own for each exchange: a fresh port, and no late answer to an earlier query.
#[derive(Debug)]
pub(super) struct Datagram(UdpSocket);

impl Datagram {
    /// Connects to `target`, so that only its answers come in.
    ///
    /// # Errors
    ///
    /// Returns what the kernel says: without a route, this is where it does.
    pub(super) fn connect(target: SocketAddr) -> Result<Self, Failure> {
        let connect = || {
            let kind = Type::DGRAM.nonblocking().cloexec();
            let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::UDP))?;
            // Without it a connected socket hears "port unreachable" only, and not a router's
            // "host unreachable" or "net unreachable".
            match target {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?,
            }
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            socket.connect(&target.into())?;
            UdpSocket::from_std(socket.into())
        };
        connect().map(Self).map_err(|error: io::Error| errno::classify(&error))
    }

    /// Sends one datagram.
    ///
    /// # Errors
    ///
    /// Returns why it did not leave.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.send(bytes).await.map(|_| ()).map_err(|error| self.failure(&error))
    }

    /// Returns the length of the next datagram, and how long it had been there: what the agent
    /// waited for its own processor is no time of the server. What does not fit into `buffer` is
    /// cut.
    ///
    /// # Errors
    ///
    /// Returns what was said about an earlier datagram.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> Result<(usize, Duration), Failure> {
        let receive = || {
            let (mut parts, mut space) = ([IoSliceMut::new(buffer)], cmsg_space!(TimeSpec));
            let (socket, none) = (self.0.as_raw_fd(), MsgFlags::empty());
            let message = recvmsg::<SockaddrStorage>(socket, &mut parts, Some(&mut space), none)?;
            let arrived = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            Ok((message.bytes, arrived.map_or(Duration::ZERO, since)))
        };
        let received = self.0.async_io(Interest::READABLE | Interest::ERROR, receive).await;
        received.map_err(|error| self.failure(&error))
    }

    /// Prefers what the error queue says: where the node's own firewall rejects, `send` fails
    /// with EPERM, and only the queue has the true reason.
    fn failure(&self, error: &io::Error) -> Failure {
        self.queued().unwrap_or_else(|| errno::classify(error))
    }

    fn queued(&self) -> Option<Failure> {
        let mut space = cmsg_space!([u8; 64]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(self.0.as_raw_fd(), &mut [], Some(&mut space), flags);
        let message = message.ok()?;
        message.cmsgs().ok()?.find_map(|control| {
            let (ControlMessageOwned::Ipv4RecvErr(said, _)
            | ControlMessageOwned::Ipv6RecvErr(said, _)) = control
            else {
                return None;
            };
            let errno = Errno::from_raw(i32::try_from(said.ee_errno).ok()?);
            let by_packet = ICMP.contains(&said.ee_origin);
            Some(if by_packet { errno::of_icmp(errno) } else { errno::of(errno) })
        })
    }
}

/// The time since a moment of the epoch; none where the clock was set back meanwhile.
fn since(moment: Duration) -> Duration {
    let arrived = SystemTime::UNIX_EPOCH + moment;
    SystemTime::now().duration_since(arrived).unwrap_or_default()
}
