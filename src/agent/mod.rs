//! What an agent is made of: parts, each with its tasks, its families and its groups of an
//! observation.
//!
//! A part knows nothing of the others. What they share is a [`Context`]: the plan, the resolver's
//! configuration, and where failed readings are counted.

pub mod allowed;
mod file;
mod options;
pub mod plan;
pub mod readings;
pub mod resolv_conf;
pub mod resolver;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::family::{Desc, Rows};
use crate::model::{Agent, Observation, Plan, Vantage};
use crate::task::{Task, Uptime};
pub use file::short;
pub use options::Options;
use readings::Readings;
use resolv_conf::ResolvConf;

/// A task that is silent for longer hangs; the longest pause before a restart is half of it.
const HANGS: Duration = Duration::from_secs(120);

/// One part.
#[derive(Debug)]
pub struct Part {
    /// The vantages from which it can be measured.
    pub vantages: &'static [Vantage],
    /// What of it can be switched off; with all of that off it does not start.
    pub switches: fn() -> Vec<Switch>,
    /// What it exports.
    pub families: &'static [Desc],
    /// Starts it.
    pub start: fn(&Context) -> Running,
}

/// Something that can be switched off.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// What it is called, by `--part.disable`.
    pub name: &'static str,
    /// Says in an observation that it is off.
    pub off: fn(&mut Observation),
}

/// What parts share; clones share it too.
#[derive(Clone, Debug)]
pub struct Context {
    /// What the agent was told.
    pub options: Arc<Options>,
    /// The time.
    pub uptime: Uptime,
    /// Where failed readings are counted.
    pub readings: Arc<Readings>,
    /// The resolver's configuration; empty until it is read.
    pub conf: watch::Sender<Arc<ResolvConf>>,
    /// The plan, once there is one.
    pub plan: watch::Sender<Option<Arc<Plan>>>,
}

impl Context {
    /// Begins without a plan.
    pub fn new(options: Options) -> Self {
        Self {
            uptime: Uptime::start(),
            readings: Arc::new(Readings::new(options.agent.clone())),
            conf: watch::channel(Arc::default()).0,
            plan: watch::channel(None).0,
            options: Arc::new(options),
        }
    }

    /// Returns which agent it is.
    pub fn agent(&self) -> &Agent {
        &self.options.agent
    }

    /// Whether `part` is one of those that are measured here.
    pub fn has(&self, part: &Part) -> bool {
        let switches = (part.switches)();
        let all_off = !switches.is_empty() && switches.iter().all(|it| self.is_off(it.name));
        part.vantages.contains(&self.agent().vantage) && !all_off
    }

    /// Whether what is called `switch` is switched off.
    pub fn is_off(&self, switch: &str) -> bool {
        self.options.disabled.contains(&switch)
    }
}

/// A run of a task.
type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Puts what a part knows into an observation.
type Observe = Box<dyn Fn(&mut Observation) + Send + Sync>;

/// Returns what a part counted.
type Export = Box<dyn Fn() -> Rows + Send + Sync>;

/// Makes the runs of a task: after one that ended comes another.
pub type Make = Box<dyn Fn() -> Run + Send + Sync>;

/// A part that has started: what is still to be run, and what to ask it.
#[derive(Default)]
pub struct Running {
    /// Its tasks, each with what makes its runs.
    pub tasks: Vec<(Task, Make)>,
    observe: Option<Observe>,
    rows: Option<Export>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

impl Running {
    /// Adds a task that gives signs of life.
    pub fn task<F>(
        mut self,
        name: &'static str,
        make: impl Fn(Task) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = Task::beating(name, HANGS);
        let make = {
            let task = task.clone();
            move || Box::pin(make(task.clone())) as Run
        };
        self.tasks.push((task, Box::new(make)));
        self
    }

    /// Lets it put what it knows into observations.
    pub fn observes(mut self, observe: impl Fn(&mut Observation) + Send + Sync + 'static) -> Self {
        self.observe = Some(Box::new(observe));
        self
    }

    /// Lets it export what it counts.
    pub fn exports(mut self, rows: impl Fn() -> Rows + Send + Sync + 'static) -> Self {
        self.rows = Some(Box::new(rows));
        self
    }

    /// Puts what it knows into an observation.
    pub fn observe(&self, observation: &mut Observation) {
        if let Some(observe) = &self.observe {
            observe(observation);
        }
    }

    /// Returns what it counted.
    pub fn rows(&self) -> Rows {
        self.rows.as_ref().map_or_else(Rows::default, |rows| rows())
    }
}
