//! The machine's inotify instances: kubelets and containerds of several clusters take more than a machine gives.

use std::fs;
use std::io;

/// How many instances one user may have.
const LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";

/// What a cluster of three nodes takes, with room for what the faults start again.
const OF_A_CLUSTER: usize = 40;

/// What the rest of the machine may have.
const OF_OTHERS: usize = 128;

/// A limit that was raised for a run. Dropped, it is what it was.
#[derive(Debug)]
#[must_use = "a limit that is dropped is what it was"]
pub(crate) struct Raised {
    was: Option<usize>,
}

impl Raised {
    /// Raises the limit where it is lower than so many clusters need.
    ///
    /// # Errors
    ///
    /// Fails where the machine does not let it be set.
    pub(crate) fn for_clusters(count: usize) -> Result<Self, String> {
        let said = |error: io::Error| format!("{LIMIT}: {error}");
        let text = fs::read_to_string(LIMIT).map_err(said)?;
        let is: usize = text.trim().parse().map_err(|_| format!("{LIMIT}: no number: {text}"))?;
        let wanted = OF_OTHERS + count * OF_A_CLUSTER;
        if is >= wanted {
            return Ok(Self { was: None });
        }
        fs::write(LIMIT, wanted.to_string()).map_err(said)?;
        Ok(Self { was: Some(is) })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(was) = self.was {
            // A run that is killed leaves it raised, which harms nobody.
            let _ = fs::write(LIMIT, was.to_string());
        }
    }
}
