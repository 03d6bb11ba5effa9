//! One run's place: its folder, its logs, its control groups, and how all of it goes away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::confine;

/// What the names of all that a run leaves on the machine begin with; the owner's process id follows.
const PREFIX: &str = "netvitals-lab-";

/// Where the hierarchies of control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// A run, by the process that owns it: two runs share nothing, and a dead owner's leftovers are known as such.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    owner: u32,
}

impl Lab {
    /// The lab of the process `owner`, as numbered outside the lab.
    pub(crate) fn of(owner: u32) -> Self {
        Self { owner }
    }

    /// The process that owns it, as numbered outside.
    pub(crate) fn owner(&self) -> u32 {
        self.owner
    }

    /// The folder of everything but the logs.
    pub(crate) fn folder(&self) -> PathBuf {
        std::env::temp_dir().join(format!("{PREFIX}{}", self.owner))
    }

    /// The folder of the logs; it outlives a run that failed.
    pub(crate) fn logs(&self) -> PathBuf {
        logs_of_all().join(format!("{PREFIX}{}", self.owner))
    }

    /// The name of its group in each hierarchy.
    pub(crate) fn cgroup(&self) -> String {
        format!("{PREFIX}{}", self.owner)
    }

    /// Makes its folders.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::create_dir_all(self.folder())?;
        fs::create_dir_all(self.logs())
    }

    /// Removes the folder and the control groups, again and again while its last processes end.
    ///
    /// # Errors
    ///
    /// Fails when something is left after `patience`, and says what.
    pub(crate) fn remove(&self, patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        loop {
            let tried = self.remove_once();
            if tried.is_ok() || Instant::now() >= until {
                return tried;
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn remove_once(&self) -> Result<(), String> {
        // One that is about to end can still make what was just removed.
        if let Some(pid) = confine::processes().find(|pid| confine::is_of(*pid, self.owner)) {
            return Err(format!("process {pid}, which still runs"));
        }
        for group in self.groups() {
            remove_group(&group).map_err(|error| format!("{}: {error}", group.display()))?;
        }
        match fs::remove_dir_all(self.folder()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{}: {error}", self.folder().display()))
            }
            _ => Ok(()),
        }
    }

    /// What of it is on the machine, but for the logs.
    pub(crate) fn traces(&self) -> Vec<PathBuf> {
        let mut traces = self.groups();
        traces.extend(Some(self.folder()).filter(|folder| folder.exists()));
        traces
    }

    /// Its groups that are there, one for each hierarchy.
    fn groups(&self) -> Vec<PathBuf> {
        let name = self.cgroup();
        hierarchies()
            .into_iter()
            .map(|root| root.join(&name))
            .filter(|group| group.is_dir())
            .collect()
    }

    /// The labs that have left something on the machine, this one's owner alive or not.
    pub(crate) fn all() -> Vec<Self> {
        let places = hierarchies().into_iter().chain([std::env::temp_dir(), logs_of_all()]);
        let mut owners: Vec<u32> = places
            .flat_map(|place| entries(&place))
            .filter_map(|path| path.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok())
            .collect();
        owners.sort_unstable();
        owners.dedup();
        owners.into_iter().map(Self::of).collect()
    }

    /// Whether its owner still runs.
    pub(crate) fn is_owned(&self) -> bool {
        Path::new("/proc").join(self.owner.to_string()).exists()
    }

    /// Removes what killed runs left, logs of earlier failures too.
    pub(crate) fn sweep() {
        for lab in Self::all().into_iter().filter(|lab| !lab.is_owned()) {
            if let Err(left) = lab.remove(Duration::from_secs(5)) {
                eprintln!("an earlier run left {left}");
            }
            let _ = fs::remove_dir_all(lab.logs());
        }
    }
}

/// The folder in which each run has its logs.
fn logs_of_all() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The hierarchies of version 1 and the unified one.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    let mut found = entries(Path::new(CGROUPS));
    found.retain(|path| path.is_dir() && !path.is_symlink());
    found
}

/// The entries of a folder; none where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

/// Removes a group and those below it; the files in it are the kernel's.
fn remove_group(group: &Path) -> io::Result<()> {
    for below in entries(group).into_iter().filter(|path| path.is_dir()) {
        remove_group(&below)?;
    }
    fs::remove_dir(group)
}
