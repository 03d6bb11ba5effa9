//! The namespaces around a run: `kill -9` of its owner leaves no process, namespace, mount or control group.
//!
//! ```text
//! outside ──► unshare ──► first (process 1: collects orphans) ──► inside: the cluster and its tests
//!    │           └ its end of a pipe is first's standard input: EOF ends first, and with it all others
//!    └──► janitor (a group of its own; EOF of its pipe): removes what a kernel keeps
//! ```

use std::env;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getuid};
use std::os::unix::process::CommandExt;

use crate::inotify::Raised;
use crate::lab::Lab;

/// The owner's process id, for all that run inside.
const OWNER: &str = "NETVITALS_LAB_OWNER";

/// The network namespace of the machine, so that a test that is not inside knows it.
const OUTSIDE: &str = "NETVITALS_LAB_OUTSIDE";

/// How long the last processes of a run may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The words by which this program calls itself.
pub(crate) mod word {
    pub(crate) const FIRST: &str = "lab-first";
    pub(crate) const INSIDE: &str = "lab-inside";
    pub(crate) const LANE: &str = "lab-lane";
    pub(crate) const JANITOR: &str = "lab-janitor";
    pub(crate) const KNOCK: &str = "lab-knock";
    pub(crate) const NODE: &str = "lab-node";
}

/// Runs this program once more, inside new namespaces, with `args`; returns its exit code.
pub(crate) fn outside(args: &[String]) -> ExitCode {
    if !getuid().is_root() {
        eprintln!(
            "e2e: not root: the cluster is made of network and mount namespaces; run `sudo make e2e`"
        );
        return ExitCode::FAILURE;
    }
    Lab::sweep();
    let lab = Lab::of(std::process::id());
    match confined(&lab, args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("e2e: {error}");
            ExitCode::FAILURE
        }
    }
}

fn confined(lab: &Lab, args: &[String]) -> Result<ExitCode, String> {
    let exe = exe();
    lab.make().map_err(|error| format!("no folder for the run: {error}"))?;
    let janitor = start_janitor(lab, None)?;
    let mut run = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(&exe)
        .arg(word::FIRST)
        .args(args)
        .env(OWNER, lab.owner().to_string())
        .env(OUTSIDE, network())
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("unshare: {error}; it comes with util-linux"))?;
    let lifeline = run.stdin.take();
    let ended = run.wait().map_err(|error| error.to_string())?;
    drop(lifeline);
    let cleaned = dismiss(janitor);
    if ended.success() {
        let _ = fs::remove_dir_all(lab.logs());
    }
    cleaned?;
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts who removes what a run leaves, once its owner has ended, and puts back what it raised.
///
/// # Errors
///
/// Fails where no process can be started.
pub(crate) fn start_janitor(lab: &Lab, raised: Option<Raised>) -> Result<Child, String> {
    Command::new(exe())
        .args([word::JANITOR, &lab.owner().to_string()])
        .args(raised.into_iter().flat_map(Raised::words))
        .stdin(Stdio::piped())
        // Ctrl-C is for the run, not for who cleans up behind it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("no janitor: {error}"))
}

/// Tells the janitor that the run is over, and waits until it is done.
///
/// # Errors
///
/// Fails where something was left behind, which the janitor itself names.
pub(crate) fn dismiss(mut janitor: Child) -> Result<(), String> {
    drop(janitor.stdin.take());
    let cleaned = janitor.wait().map_err(|error| error.to_string())?;
    if cleaned.success() { Ok(()) } else { Err("the run left something behind".to_owned()) }
}

/// Process 1: starts `inside`, collects every orphan, and ends when either end of the run does.
pub(crate) fn first(args: &[String]) -> ExitCode {
    thread::spawn(|| {
        wait_for_eof();
        std::process::exit(1);
    });
    let child = Command::new(exe()).arg(word::INSIDE).args(args).stdin(Stdio::null()).spawn();
    let child = match child {
        Ok(child) => Pid::from_raw(child.id() as i32),
        Err(error) => {
            eprintln!("e2e: {error}");
            return ExitCode::FAILURE;
        }
    };
    loop {
        match waitpid(Pid::from_raw(-1), None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => {
                return ExitCode::from(u8::try_from(code).unwrap_or(1));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                eprintln!("e2e: ended by {signal}");
                return ExitCode::FAILURE;
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// Waits for the end of the run's owner, then removes what a kernel keeps, and puts back what the run raised.
pub(crate) fn janitor(owner: &str, raised: &[&str]) -> ExitCode {
    let Ok(owner) = owner.parse() else { return ExitCode::FAILURE };
    wait_for_eof();
    if let Some(Err(error)) = Raised::of_words(raised).map(Raised::put_back) {
        eprintln!("e2e: {error}");
    }
    match Lab::of(owner).remove(PATIENCE) {
        Ok(()) => ExitCode::SUCCESS,
        Err(left) => {
            eprintln!("e2e: left behind: {left}");
            ExitCode::FAILURE
        }
    }
}

/// The lab that this process is inside of.
///
/// # Panics
///
/// Panics outside: the addresses of the lab lead elsewhere there.
pub(crate) fn lab() -> Lab {
    let outside = env::var(OUTSIDE).expect("only `outside` starts what runs inside");
    assert_ne!(outside, network(), "this process is not inside the lab's network namespace");
    let owner = env::var(OWNER).ok().and_then(|owner| owner.parse().ok());
    Lab::of(owner.expect("`outside` says who owns the lab"))
}

/// Ends the clusters that stay; they end all that is theirs.
pub(crate) fn down() -> ExitCode {
    let mut ended = 0;
    for lab in
        Lab::all().into_iter().filter(|lab| lab.is_owned() && lab.folder().join("stays").exists())
    {
        let owner = Pid::from_raw(lab.owner() as i32);
        if nix::sys::signal::kill(owner, nix::sys::signal::Signal::SIGTERM).is_ok() {
            ended += 1;
        }
        let gone = (0..300).any(|_| {
            thread::sleep(Duration::from_millis(100));
            !lab.folder().exists()
        });
        if !gone {
            eprintln!(
                "the cluster of process {} is still ending: see {}",
                lab.owner(),
                lab.folder().display()
            );
            return ExitCode::FAILURE;
        }
    }
    Lab::sweep();
    println!("ended: {ended}");
    ExitCode::SUCCESS
}

/// Whether a process was started by the run of an owner, wherever it is now.
pub(crate) fn is_of(pid: u32, owner: u32) -> bool {
    has(pid, "environ", &format!("{OWNER}={owner}"))
}

/// Whether one of the words in a process's `environ` or `cmdline` is this one.
pub(crate) fn has(pid: u32, file: &str, word: &str) -> bool {
    let words = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    words.split(|byte| *byte == 0).any(|it| it == word.as_bytes())
}

/// The ids of all processes.
pub(crate) fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// This program.
pub(crate) fn exe() -> PathBuf {
    env::current_exe().expect("a running program has a path")
}

fn network() -> String {
    let link = fs::read_link("/proc/self/ns/net").expect("Linux shows the network namespace");
    link.to_string_lossy().into_owned()
}

/// Waits until whoever holds the other end of the standard input has ended.
pub(crate) fn wait_for_eof() {
    let mut bytes = [0; 64];
    while std::io::stdin().read(&mut bytes).is_ok_and(|read| read > 0) {}
}
