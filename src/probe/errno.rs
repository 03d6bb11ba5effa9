//! What the kernel says, as a failure.

use std::io;

use nix::errno::Errno;

use crate::model::Failure;

/// Classifies by number: `io::ErrorKind` has no name for half of these.
pub(super) fn classify(error: &io::Error) -> Failure {
    let Some(errno) = error.raw_os_error() else { return Failure::Other };
    match Errno::from_raw(errno) {
        // Only a local rule gives these to a connect: the agent needs no right that it lacks.
        Errno::EPERM | Errno::EACCES => Failure::Blocked,
        Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EADDRNOTAVAIL => {
            Failure::Local
        }
        Errno::ECONNREFUSED => Failure::Refused,
        Errno::ECONNRESET => Failure::Reset,
        Errno::ETIMEDOUT => Failure::Timeout,
        Errno::EHOSTUNREACH | Errno::ENETUNREACH => Failure::Unreachable,
        _ => Failure::Other,
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
            (Errno::EPERM, Failure::Blocked),
            (Errno::EHOSTUNREACH, Failure::Unreachable),
            (Errno::EPROTO, Failure::Other),
        ] {
            assert_eq!(classify(&errno.into()), failure, "{errno:?}");
        }
    }
}
