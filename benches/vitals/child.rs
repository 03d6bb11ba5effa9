//! A part of the bench as a process of its own, which does not outlive this one.

use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::process::{self, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::PART;

/// A part that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(300);

/// A process that ends when this one does, or when it is dropped.
pub(crate) struct Child {
    process: process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program once more, as `part`.
    pub(crate) fn start(part: &str) -> Self {
        let program = env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let output = process.stdout.take().expect("it is piped, see above");
        Self { process, lines: BufReader::new(output).lines() }
    }

    /// Returns the next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }

    /// Waits for its end; returns what it printed, if all went well.
    pub(crate) fn finish(mut self) -> Option<Vec<String>> {
        let lines = self.lines.by_ref().map_while(Result::ok).collect();
        self.process.wait().ok()?.success().then_some(lines)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Ends this process when the one that started it does, and after a while in any case.
pub(crate) fn do_not_stay() {
    thread::spawn(|| {
        // Nothing is ever sent: the pipe's end is the parent's.
        _ = std::io::stdin().read_line(&mut String::new());
        process::exit(1);
    });
    thread::spawn(|| {
        thread::sleep(LONGEST);
        eprintln!("took longer than {} s", LONGEST.as_secs());
        process::exit(1);
    });
}
