//! SIGHUP: the configuration is read again, and a valid one is worked by from then on.
//!
//! A role begins anew within the process when what it works by is another; nothing of what it
//! knew is carried over, as after a restart of its pod. A bad configuration changes nothing.

use std::fmt;
use std::mem::replace;

use crate::args::{Command, Run};
use crate::log::SetLevel;
use crate::task::process;

/// Where a configuration comes from, and what can follow it at once.
pub struct Reload {
    /// Reads the command line, the environment and the file again.
    pub read: fn() -> Result<Command, String>,
    /// Sets the level of the log.
    pub set_level: SetLevel,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl Reload {
    /// Reads again, and puts what is valid into the place of `command`; whether its role has to
    /// begin anew for that.
    pub(super) fn refresh(&self, command: &mut Command) -> bool {
        let new = match (self.read)() {
            Ok(new) => new,
            Err(error) => {
                process::reloaded(false);
                tracing::error!(
                    error,
                    "the configuration is not reloaded: correct it, and send SIGHUP again"
                );
                return false;
            }
        };
        process::reloaded(true);
        (self.set_level)(new.log.0);
        if new.log.1 != command.log.1 {
            tracing::warn!("another form of the log needs a restart");
        }
        let old = replace(command, new);
        let anew = old.listen != command.listen || !is_same(&old.run, &command.run);
        tracing::info!(anew, "configuration reloaded");
        anew
    }
}

fn is_same(old: &Run, new: &Run) -> bool {
    match (old, new) {
        (Run::Agent(old), Run::Agent(new)) => old == new,
        (Run::Cluster(old, path), Run::Cluster(new, new_path)) => (old, path) == (new, new_path),
        // The command line is the one that it was, and nothing else is reloaded.
        _ => true,
    }
}
