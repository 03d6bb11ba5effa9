//! A program of the cluster: started with a log of its own, and stopped, killed and started again by faults.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A program, running or not.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    argv: Vec<String>,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Program {
    /// Starts `argv`; its output goes to `NAME.log` in `logs`.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started.
    pub(crate) fn start(logs: &Path, name: &str, argv: Vec<String>) -> Self {
        let log = logs.join(format!("{name}.log"));
        let program = Self { name: name.to_owned(), argv, log, child: Mutex::new(None) };
        program.start_again();
        program
    }

    /// Starts it, with the same arguments, where it does not run.
    pub(crate) fn start_again(&self) {
        let mut child = self.child.lock().expect("no holder panics");
        if child.is_some() {
            return;
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        let copy = log.try_clone().expect("an open file can be opened twice");
        let started = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .spawn();
        *child = Some(started.unwrap_or_else(|error| panic!("{}: {error}", self.argv[0])));
    }

    /// Says why it ended, if it did by itself.
    pub(crate) fn ended(&self) -> Option<String> {
        let mut child = self.child.lock().expect("no holder panics");
        let status = child.as_mut()?.try_wait().ok()??;
        Some(format!("{} ended: {status}", self.name))
    }

    /// Stops it as SIGSTOP does: it keeps its connections and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Kills it, and waits for its end.
    pub(crate) fn kill(&self) {
        let child = self.child.lock().expect("no holder panics").take();
        if let Some(mut child) = child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.lock().expect("no holder panics");
        let Some(child) = child.as_ref() else { return };
        let pid = Pid::from_raw(child.id() as i32);
        kill(pid, signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.name));
    }
}

/// Returns the last lines of a file, at most `lines`.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    const MOST: u64 = 16_384;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(MOST)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Prints the end of every log in `folder`.
pub(crate) fn show_logs(folder: &Path, lines: usize) {
    let mut logs: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    logs.sort();
    for log in logs {
        println!("---- {}", log.display());
        println!("{}", tail(&log, lines));
    }
}

/// Runs a program to its end.
///
/// # Errors
///
/// Fails with its words when it cannot be started, or says no.
pub(crate) fn try_run<S: AsRef<str>>(argv: &[S]) -> Result<String, String> {
    let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    let shown = words.join(" ");
    let ended = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = ended.map_err(|error| format!("{shown}: {error}"))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() {
        Ok(stdout.into_owned())
    } else {
        Err(format!("{shown}: {status}: {stdout}{stderr}"))
    }
}

/// Runs a program to its end, and returns what it wrote.
///
/// # Panics
///
/// Panics with its words when it says no.
pub(crate) fn run<S: AsRef<str>>(argv: &[S]) -> String {
    try_run(argv).unwrap_or_else(|error| panic!("{error}"))
}
