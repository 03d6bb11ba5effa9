//! Wiring, one file per subcommand: no logic.

pub mod agent;
pub mod cluster;
mod command;
pub mod demo;
pub mod get;
pub mod reload;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::agent::readings;
use crate::family::Desc;
use crate::task::{self, process};
use crate::{check, http, log, pull, watch};
pub use command::{Command, Run};
use reload::Reload;

/// How long tasks may take to end once the role has.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs a role until SIGTERM or Ctrl-C; with SIGHUP it follows its configuration.
///
/// # Errors
///
/// Fails with one line that names the remedy: nothing works without what is missing.
pub fn run(command: Command, reload: &Reload) -> Result<ExitCode, String> {
    process::start();
    let runtime = runtime().map_err(|error| format!("cannot start: {error}"))?;
    let ended = runtime.block_on(async {
        let stop = stop_on_signal().map_err(|error| format!("cannot await a signal: {error}"))?;
        match command.run {
            Run::Scenarios => Ok(demo::list()),
            Run::Get(options) => tokio::select! {
                ended = get::run(&options) => ended,
                () = stop.cancelled() => Err("ended before there was an answer".to_owned()),
            },
            Run::Demo(options) => {
                let ended = demo::run(options, http::bind(&command.listen)?, stop).await;
                ended.map_err(|error| error.to_string())
            }
            Run::Agent(_) | Run::Cluster(..) => {
                reload.follow(command, &stop).await.map(|()| ExitCode::SUCCESS)
            }
        }
    });
    runtime.shutdown_timeout(FAREWELL);
    ended
}

/// Returns every family that checks measure.
pub fn checked() -> impl Iterator<Item = &'static Desc> {
    check::ALL.iter().flat_map(|check| check.families)
}

/// Returns every family that some role counts by itself, beside its reports.
pub fn live() -> impl Iterator<Item = &'static Desc> {
    let rooms = [
        cluster::FAMILIES,
        readings::FAMILIES,
        http::FAMILIES,
        log::FAMILIES,
        process::FAMILIES,
        pull::FAMILIES,
        task::FAMILIES,
        watch::FAMILIES,
    ];
    rooms.into_iter().chain(agent::PARTS.iter().map(|part| part.families)).flatten()
}

fn runtime() -> io::Result<Runtime> {
    // Of the blocking threads the owner of the facts has one for itself.
    Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()
}

/// Returns a token that SIGTERM and Ctrl-C cancel.
///
/// # Errors
///
/// Returns why a signal cannot be listened to.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let cancel = stop.clone().drop_guard();
    tokio::spawn(async move {
        let _cancel = cancel;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    Ok(stop)
}
