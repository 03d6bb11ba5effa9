//! `netvitals demo`: its flags.

use clap::ArgMatches;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::Common;
use super::sources::Sources;
use crate::log::Level;
use crate::role::{Command, Run, demo};
use crate::sim::scenario::{self, Scenario};

#[derive(clap::Args, Debug)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    common: Common,
    /// What is wrong with the simulated cluster.
    #[arg(long, env = "NETVITALS_SCENARIO", default_value = "healthy", value_parser = scenarios())]
    scenario: &'static Scenario,
    /// Print the scenarios, and end.
    #[arg(long, env = "NETVITALS_LIST")]
    list: bool,
    /// Print the first verdict that holds, and end: 0 healthy, 1 a problem, 3 something unseen.
    #[arg(long, env = "NETVITALS_ONCE")]
    once: bool,
}

impl DemoArgs {
    pub(super) fn command(mut self, given: &ArgMatches) -> Result<Command, String> {
        let from = Sources::new(given);
        let file = self.common.file(&from)?;
        if !from.gives("log_level") && file.log.level.is_none() {
            // The log of eight roles in one terminal would hide the report.
            self.common.log_level = Level::Error;
        }
        let options = demo::Options { scenario: self.scenario, once: self.once };
        let run = if self.list { Run::Scenarios } else { Run::Demo(options) };
        Ok(self.common.command(run))
    }
}

fn scenarios() -> impl TypedValueParser<Value = &'static Scenario> {
    let value = |it: &Scenario| PossibleValue::new(it.name).help(it.summary);
    let values = PossibleValuesParser::new(scenario::ALL.iter().map(value));
    values.try_map(|name| scenario::named(&name).ok_or("no such scenario"))
}
