//! The machine's inotify instances: kubelets and containerds of several clusters take more than a machine gives.

use std::fs;
use std::io;

/// How many instances one user may have.
const LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";

/// What a cluster of three nodes takes, with room for what the faults start again.
const OF_A_CLUSTER: usize = 40;

/// What the rest of the machine may have.
const OF_OTHERS: usize = 128;

/// A limit that was raised for a run. The run's janitor puts it back, whatever ended the run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Raised {
    was: usize,
    to: usize,
}

impl Raised {
    /// Raises the limit where it is lower than so many clusters need; none where it is not.
    ///
    /// # Errors
    ///
    /// Fails where the machine does not let it be set.
    pub(crate) fn for_clusters(count: usize) -> Result<Option<Self>, String> {
        let (was, to) = (read()?, OF_OTHERS + count * OF_A_CLUSTER);
        if was >= to {
            return Ok(None);
        }
        write(to)?;
        Ok(Some(Self { was, to }))
    }

    /// Puts it back, unless somebody else has set it since.
    ///
    /// # Errors
    ///
    /// Fails where the machine does not let it be set.
    pub(crate) fn put_back(self) -> Result<(), String> {
        if read()? == self.to { write(self.was) } else { Ok(()) }
    }

    /// As the words by which a janitor is told.
    pub(crate) fn words(self) -> [String; 2] {
        [self.was.to_string(), self.to.to_string()]
    }

    /// Reads [`Self::words`].
    pub(crate) fn of_words(words: &[&str]) -> Option<Self> {
        let [was, to] = words else { return None };
        Some(Self { was: was.parse().ok()?, to: to.parse().ok()? })
    }
}

fn read() -> Result<usize, String> {
    let text = fs::read_to_string(LIMIT).map_err(said)?;
    text.trim().parse().map_err(|_| format!("{LIMIT}: no number: {text}"))
}

fn write(limit: usize) -> Result<(), String> {
    fs::write(LIMIT, limit.to_string()).map_err(said)
}

fn said(error: io::Error) -> String {
    format!("{LIMIT}: {error}")
}
