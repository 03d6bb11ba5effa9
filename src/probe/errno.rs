//! What the kernel says, as a failure.

use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;

use crate::model::Failure;

/// Classifies by number: `io::ErrorKind` has no name for half of these.
pub(super) fn classify(error: &io::Error) -> Failure {
    error.raw_os_error().map_or(Failure::Other, |errno| of(Errno::from_raw(errno)))
}

/// Classifies what a call of the prober's own got.
pub(super) fn of(errno: Errno) -> Failure {
    match errno {
        // A local rule gives these: a firewall, a `prohibit` route, and for the last one a
        // `blackhole` route. The agent needs no right that it lacks.
        Errno::EPERM | Errno::EACCES | Errno::EINVAL => Failure::Blocked,
        Errno::EMFILE
        | Errno::ENFILE
        | Errno::ENOBUFS
        | Errno::ENOMEM
        | Errno::EADDRNOTAVAIL
        | Errno::EAFNOSUPPORT
        // No port is free for a UDP socket.
        | Errno::EAGAIN => Failure::Local,
        Errno::ECONNREFUSED => Failure::Refused,
        Errno::ECONNRESET | Errno::EPIPE => Failure::Reset,
        Errno::ETIMEDOUT => Failure::Timeout,
        // The last one is "protocol unreachable": a machine on the way said so.
        Errno::EHOSTUNREACH
        | Errno::ENETUNREACH
        | Errno::EHOSTDOWN
        | Errno::ENETDOWN
        | Errno::ENOPROTOOPT => Failure::Unreachable,
        _ => Failure::Other,
    }
}

/// Classifies what a TCP connection to `target` got.
///
/// Over IPv6 a router's or a target's "administratively prohibited" reads as EACCES, like a
/// `prohibit` route of one's own, and is far more frequent.
pub(super) fn of_connect(error: &io::Error, target: SocketAddr) -> Failure {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES) if target.is_ipv6() => Failure::Unreachable,
        _ => classify(error),
    }
}

/// Classifies what an ICMP message said, which is never a rule of the prober's own node:
/// "administratively prohibited" reads as EACCES in IPv6.
pub(super) fn of_icmp(errno: Errno) -> Failure {
    match of(errno) {
        Failure::Refused => Failure::Refused,
        _ => Failure::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_own_shortages_are_not_the_targets_failures() {
        for (errno, failure) in [
            (Errno::EMFILE, Failure::Local),
            (Errno::EADDRNOTAVAIL, Failure::Local),
            (Errno::EAGAIN, Failure::Local),
            (Errno::EPERM, Failure::Blocked),
            (Errno::EINVAL, Failure::Blocked),
            (Errno::EHOSTUNREACH, Failure::Unreachable),
            (Errno::ENOPROTOOPT, Failure::Unreachable),
            (Errno::EPROTO, Failure::Other),
        ] {
            assert_eq!(classify(&errno.into()), failure, "{errno:?}");
        }
    }

    #[test]
    fn what_another_machine_said_is_no_local_rule() {
        assert_eq!(of_icmp(Errno::EACCES), Failure::Unreachable);
        assert_eq!(of_icmp(Errno::ECONNREFUSED), Failure::Refused);
        for (errno, target, failure) in [
            (Errno::EACCES, "[fd00::1]:1", Failure::Unreachable),
            (Errno::EACCES, "10.0.0.1:1", Failure::Blocked),
            (Errno::EPERM, "[fd00::1]:1", Failure::Blocked),
            (Errno::ECONNREFUSED, "[fd00::1]:1", Failure::Refused),
        ] {
            let said = of_connect(&errno.into(), target.parse().unwrap());
            assert_eq!(said, failure, "{errno:?} {target}");
        }
    }
}
