//! The command line: subcommands and flags, each with its environment name, over the file.

mod agent;
mod cluster;
mod demo;
mod sources;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{self, Config};
use crate::log::{Form, Level};
use crate::role::{self, Command, Run};
use crate::setting::{Address, Url};
use sources::Sources;

/// The vital signs of a Kubernetes cluster's network: what is broken, where, and what to do.
///
/// Every flag has an environment name (NETVITALS_ and the flag in upper case, with _ for - and .)
/// and a key in the file of --config.file (_ for -, nested at each dot). A flag wins over its
/// environment name, that over the file, and the file over the default.
#[derive(Debug, Parser)]
#[command(name = "netvitals", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Probe the network from where workloads live; one on every node.
    Agent(agent::AgentArgs),
    /// Watch the Kubernetes API and the agents, judge, serve the page.
    Cluster(cluster::ClusterArgs),
    /// Simulate a cluster in this process, and run the real roles against it.
    Demo(demo::DemoArgs),
    /// Print what a role serves, for the image has no other program: 0 for an answer of status 200.
    Get(GetArgs),
}

#[derive(clap::Args, Debug)]
struct Common {
    /// Where to listen; :PORT is every address of the machine.
    #[arg(
        long = "web.listen-address",
        env = "NETVITALS_WEB_LISTEN_ADDRESS",
        default_value = ":12350"
    )]
    listen_address: Address,
    /// What is worth a line of the log; RUST_LOG, where set, says it by target instead.
    #[arg(long = "log.level", env = "NETVITALS_LOG_LEVEL", value_enum, default_value = "info")]
    log_level: Level,
    /// How a line of the log is written.
    #[arg(long = "log.format", env = "NETVITALS_LOG_FORMAT", value_enum, default_value = "logfmt")]
    log_format: Form,
    /// A YAML file with the same names.
    #[arg(long = "config.file", env = "NETVITALS_CONFIG_FILE")]
    config_file: Option<PathBuf>,
    /// Check the flags and the file, and end: 0 when they are valid, 2 when not.
    #[arg(long = "config.check")]
    config_check: bool,
}

#[derive(clap::Args, Debug)]
struct GetArgs {
    /// The server, as http://host:port.
    server: Url,
    /// What to ask it for.
    #[arg(default_value = "/readyz")]
    path: String,
}

/// Reads the process's own command line, environment and file.
///
/// Ends the process where the command line asks for help or cannot be read.
///
/// # Errors
///
/// Fails with one line that says what is wrong, where, and what to write instead.
pub fn read() -> Result<Command, String> {
    let matches = CommandLine::command().get_matches();
    command(&matches, |name| std::env::var(name).ok())
}

/// Reads all of it once more, and never ends the process.
///
/// # Errors
///
/// As [`read`].
pub fn read_again() -> Result<Command, String> {
    let matches = CommandLine::command().try_get_matches().map_err(|error| error.to_string())?;
    command(&matches, |name| std::env::var(name).ok())
}

/// Turns what was given into what to run.
fn command(matches: &ArgMatches, env: impl Fn(&str) -> Option<String>) -> Result<Command, String> {
    let line = CommandLine::from_arg_matches(matches).map_err(|error| error.to_string())?;
    let (_, given) = matches.subcommand().expect("a subcommand is required");
    match line.role {
        Role::Agent(args) => args.command(given, env),
        Role::Cluster(args) => args.command(given),
        Role::Demo(args) => args.command(given),
        Role::Get(args) => Ok(args.command()),
    }
}

impl Common {
    /// Reads the file, and takes from it what is common.
    fn file(&mut self, from: &Sources<'_>) -> Result<Config, String> {
        let mut file = match &self.config_file {
            Some(path) => config::read(path)?,
            None => Config::default(),
        };
        from.fill("listen_address", &mut self.listen_address, file.web.listen_address.take());
        from.fill("log_level", &mut self.log_level, file.log.level);
        from.fill("log_format", &mut self.log_format, file.log.format);
        Ok(file)
    }

    fn command(self, run: Run) -> Command {
        Command {
            listen: self.listen_address,
            log: (self.log_level, self.log_format),
            check: self.config_check,
            run,
        }
    }
}

impl GetArgs {
    fn command(self) -> Command {
        Command {
            // It listens nowhere.
            listen: Address::default(),
            log: (Level::Info, Form::Logfmt),
            check: false,
            run: Run::Get(role::get::Options { server: self.server.0, path: self.path }),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
