//! Several clusters side by side, which take the scenarios from one queue: the waits of one are the others' time.
//!
//! The order is that of [`scenario::all`], so what shall come first begins first, and no lane takes another after the last.
//! Where everything is shown, one cluster more shows what wants netvitals as it ships: that takes long and costs little.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::confine::{self, exe, word};
use crate::inotify::Raised;
use crate::lab::Lab;
use crate::scenario::{self, Scenario};

/// The folder in which lanes claim scenarios.
const QUEUE: &str = "NETVITALS_LAB_QUEUE";

/// Which scenarios a lane takes of the queue, where they are shared out.
const PACE: &str = "NETVITALS_LAB_PACE";

/// What a lane says last; the sum of all is said once.
const RESULT: &str = "test result: ";

/// Before the name of a scenario that failed and its reason, at the end of what a lane says.
pub(crate) const FAILED: &str = "failed: ";

/// What a lane does to its cluster, where some are for what takes long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pace {
    /// It takes whatever is next.
    Any,
    /// It leaves netvitals as it ships: it takes what needs no more, and what has nothing to do with netvitals.
    Shipped,
    /// It takes what the lane of the other kind does not.
    Quick,
}

impl Pace {
    const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Shipped => "shipped",
            Self::Quick => "quick",
        }
    }

    /// What this process was told; whatever is next where it was told nothing.
    fn here() -> Self {
        let told = env::var(PACE).unwrap_or_default();
        [Self::Shipped, Self::Quick].into_iter().find(|it| it.word() == told).unwrap_or(Self::Any)
    }

    const fn takes(self, scenario: &Scenario) -> bool {
        match self {
            Self::Any => true,
            Self::Shipped => !scenario.quickens(),
            Self::Quick => scenario.quickens() || scenario.stands_alone(),
        }
    }
}

/// Which scenarios nobody has begun.
pub(crate) struct Queue {
    folder: Option<PathBuf>,
    pace: Pace,
}

impl Queue {
    /// The queue of this process: shared where it is a lane, else its own.
    pub(crate) fn here() -> Self {
        Self { folder: env::var_os(QUEUE).map(PathBuf::from), pace: Pace::here() }
    }

    /// Whether this process is the one that shows a scenario.
    pub(crate) fn claims(&self, scenario: &Scenario) -> bool {
        let Some(folder) = &self.folder else { return true };
        if !self.pace.takes(scenario) {
            return false;
        }
        match fs::File::create_new(folder.join(scenario.name)) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => panic!("{}: {error}", folder.display()),
        }
    }
}

/// How many of the slowest are named at the end.
const SLOWEST: usize = 10;

/// What the lanes have shown so far.
#[derive(Debug, Default)]
struct Shown {
    passed: usize,
    failed: Vec<String>,
    /// The seconds of each, whatever came of it.
    took: Vec<(f64, String)>,
}

impl Shown {
    /// The slowest parts, a line each: where a run becomes longer, they say why.
    fn slowest(&mut self) -> String {
        self.took.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut text = String::new();
        for (seconds, name) in self.took.iter().take(SLOWEST) {
            let _ = writeln!(text, "{seconds:7.1} s  {name}");
        }
        text
    }
}

/// Shows the scenarios with one of the words in their names on `count` clusters, and what is `besides`: those the first
/// lane does alone, before it has a cluster. With anything besides there is one cluster more, for what takes long: the
/// first one's.
pub(crate) fn run(count: usize, words: &[&str], chosen: usize, besides: &[&[&str]]) -> ExitCode {
    let (started, lab) = (Instant::now(), Lab::of(std::process::id()));
    Lab::sweep();
    if let Err(error) = lab.make() {
        eprintln!("e2e: no folder for the run: {error}");
        return ExitCode::FAILURE;
    }
    let quick = if besides.is_empty() { Pace::Any } else { Pace::Quick };
    let mut paces = vec![quick; count];
    if !besides.is_empty() {
        paces.insert(0, Pace::Shipped);
    }
    let raised = Raised::for_clusters(paces.len()).unwrap_or_else(|error| {
        eprintln!("e2e: {error}; a kubelet may find no inotify instance");
        None
    });
    let janitor = confine::start_janitor(&lab, raised);
    if let (Err(_), Some(raised)) = (&janitor, raised) {
        let _ = raised.put_back();
    }
    let wanted = chosen + besides.len();
    println!("\nrunning {wanted} scenarios on {} clusters", paces.len());
    let shown = Mutex::new(Shown::default());
    let good = thread::scope(|scope| {
        let lanes: Vec<_> = paces
            .iter()
            .zip(1..)
            .map(|(&pace, lane)| {
                let (lab, shown) = (&lab, &shown);
                let besides = if lane == 1 { besides } else { &[] };
                scope.spawn(move || {
                    for part in besides {
                        alone(lane, part, shown);
                    }
                    follow(lane, start(lab, pace, words), shown)
                })
            })
            .collect();
        // All are waited for, also when the first has failed.
        let ended: Vec<bool> = lanes.into_iter().map(|lane| lane.join().unwrap_or(false)).collect();
        ended.into_iter().all(|good| good)
    });
    let mut shown = shown.into_inner().unwrap_or_default();
    let cleaned = janitor.and_then(confine::dismiss);
    if let Err(error) = &cleaned {
        eprintln!("e2e: {error}");
    }
    // A lane that died says nothing of what it had begun: that is missing here.
    let good = good && cleaned.is_ok() && shown.passed == wanted;
    for why in &shown.failed {
        println!("{FAILED}{why}");
    }
    println!("the slowest:\n{}", shown.slowest());
    let verdict = if good { "ok" } else { "FAILED" };
    println!(
        "{RESULT}{verdict}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s",
        shown.passed,
        wanted - shown.passed,
        scenario::all().count() - chosen,
        started.elapsed().as_secs_f64()
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn start(lab: &Lab, pace: Pace, words: &[&str]) -> io::Result<Child> {
    child(words).env(QUEUE, lab.folder()).env(PACE, pace.word()).spawn()
}

/// This program as a child that ends with this process, and whose words are read here.
fn child(args: &[&str]) -> Command {
    let mut command = Command::new(exe());
    command.arg(word::LANE).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Runs this program for a part that starts its own clusters, and prints what it said.
fn alone(lane: usize, part: &[&str], shown: &Mutex<Shown>) {
    let (name, began) = (part.join(" "), Instant::now());
    println!("lane {lane}: test {name} ...");
    let said = child(part).spawn().and_then(|mut child| {
        // Kept until its end: without it the child ends, too.
        let lifeline = child.stdin.take();
        let said = child.wait_with_output();
        drop(lifeline);
        said
    });
    let took = began.elapsed().as_secs_f64();
    let (mut block, good) = match said {
        Ok(said) => (String::from_utf8_lossy(&said.stdout).into_owned(), said.status.success()),
        Err(error) => (format!("{error}\n"), false),
    };
    let verdict = if good { "ok" } else { "FAILED" };
    let _ = writeln!(block, "test {name} ... {verdict} ({took:.1} s)");
    print(lane, &mut block);
    let mut shown = shown.lock().expect("no holder panics");
    shown.took.push((took, name.clone()));
    match good {
        true => shown.passed += 1,
        false => shown.failed.push(format!("{name}: see above")),
    }
}

/// Reads the line that says how a scenario ended: its name, whether it was good, its seconds.
fn ended(line: &str) -> Option<(&str, bool, f64)> {
    let (name, how) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (verdict, took) = how.split_once(" (")?;
    Some((name, verdict == "ok", took.strip_suffix(" s)")?.parse().ok()?))
}

/// Prints what a lane says, a scenario at a time; returns whether it ended well.
fn follow(lane: usize, started: io::Result<Child>, shown: &Mutex<Shown>) -> bool {
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            eprintln!("e2e: lane {lane}: {error}");
            return false;
        }
    };
    let said = child.stdout.take().expect("it is piped");
    let mut block = String::new();
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        if line.starts_with(RESULT) {
            continue;
        }
        if let Some(why) = line.strip_prefix(FAILED) {
            shown.lock().expect("no holder panics").failed.push(why.to_owned());
            continue;
        }
        let begins = line.starts_with("test ") && line.ends_with(" ...");
        if begins {
            println!("lane {lane}: {line}");
            print(lane, &mut block);
            continue;
        }
        block.push_str(&line);
        block.push('\n');
        let Some((name, good, seconds)) = ended(&line) else { continue };
        let mut shown = shown.lock().expect("no holder panics");
        shown.took.push((seconds, name.to_owned()));
        // What a cluster in which one failed has to show follows.
        if good {
            shown.passed += 1;
            drop(shown);
            print(lane, &mut block);
        }
    }
    print(lane, &mut block);
    child.wait().is_ok_and(|status| status.success())
}

/// Writes a block at once, so that two lanes do not mix.
fn print(lane: usize, block: &mut String) {
    if !block.is_empty() {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "lane {lane}:").and_then(|()| out.write_all(block.as_bytes()));
        block.clear();
    }
}

/// Ends this process when who started the lanes ends, however that was.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        confine::wait_for_eof();
        std::process::exit(1);
    });
}
