//! SIGHUP: the configuration is read again, and a valid one is worked by from then on.
//!
//! A role begins anew within the process when what it works by is another; nothing of what it
//! knew is carried over, as after a restart of its pod. A bad configuration changes nothing: what
//! may fail of a new one is tried while the role before goes on.

use std::fmt;
use std::net::TcpListener;
use std::pin::pin;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Command, Run, agent, cluster};
use crate::http;
use crate::log::SetLevel;
use crate::task::{apart, process};
use crate::watch::Access;

/// Where a configuration comes from, and what can follow it at once.
pub struct Reload {
    /// Reads the command line, the environment and the file again.
    pub read: fn() -> Result<Command, String>,
    /// Sets the level of the log.
    pub set_level: SetLevel,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl Reload {
    /// Runs a role until `stop`, and anew whenever its configuration is another.
    ///
    /// # Errors
    ///
    /// Fails with one line where the first configuration does not work, or when the role ends.
    pub(super) async fn follow(
        &self,
        mut command: Command,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        let hang_up = signal(SignalKind::hangup());
        let mut hang_up = hang_up.map_err(|error| format!("cannot await a signal: {error}"))?;
        let mut listener = http::bind(&command.listen)?;
        let mut role = tokio::select! {
            role = Role::of(&command.run) => role?,
            () = stop.cancelled() => return Ok(()),
        };
        loop {
            let generation = stop.child_token();
            let kept =
                listener.try_clone().map_err(|error| format!("cannot go on listening: {error}"))?;
            let access = role.access();
            let mut running = pin!(role.run(listener, generation.clone()));
            let mut next = loop {
                tokio::select! {
                    ended = &mut running => return ended,
                    _ = hang_up.recv() => {}
                }
                let next = tokio::select! {
                    next = self.next(&mut command, &kept, access.as_ref()) => next,
                    ended = &mut running => return ended,
                };
                match next {
                    Ok(Some(next)) => break next,
                    Ok(None) => {}
                    Err(error) => refused(&error),
                }
            };
            generation.cancel();
            let ended = running.await;
            if stop.is_cancelled() {
                return ended;
            }
            let mut late = None;
            listener = match next.listen {
                Listen::Here => kept,
                Listen::There(listener) => listener,
                Listen::Later => {
                    drop(kept);
                    match http::bind(&next.command.listen) {
                        Ok(listener) => listener,
                        Err(error) => {
                            late = Some(error);
                            next.command.listen = command.listen.clone();
                            http::bind(&command.listen)?
                        }
                    }
                }
            };
            role = next.role;
            self.take(&mut command, next.command, true);
            if let Some(error) = late {
                refused(&error);
            }
        }
    }

    /// Reads again; what is valid and needs no new beginning is in the place of `command` at once.
    async fn next(
        &self,
        command: &mut Command,
        kept: &TcpListener,
        access: Option<&Access>,
    ) -> Result<Option<Next>, String> {
        // Not on this thread: the file may be a pipe, and signals have to be heard meanwhile.
        let new = apart(self.read).await.map_err(|error| error.to_string())??;
        if new.listen == command.listen && is_same(&command.run, &new.run) {
            if let Some(access) = access {
                access.renew().await?;
            }
            self.take(command, new, false);
            return Ok(None);
        }
        let role = Role::of(&new.run).await?;
        let here = kept.local_addr().map_err(|error| format!("no own address: {error}"))?;
        let listen = if new.listen == command.listen {
            Listen::Here
        } else if new.listen.place.port() == here.port() {
            Listen::Later
        } else {
            Listen::There(http::bind(&new.listen)?)
        };
        Ok(Some(Next { command: new, role, listen }))
    }

    fn take(&self, command: &mut Command, new: Command, anew: bool) {
        process::reloaded(true);
        (self.set_level)(new.log.0);
        if new.log.1 != command.log.1 {
            tracing::warn!("another form of the log needs a restart");
        }
        *command = new;
        tracing::info!(anew, "configuration reloaded");
    }
}

fn refused(error: &str) {
    process::reloaded(false);
    tracing::error!(error, "the configuration is not reloaded: correct it, and send SIGHUP again");
}

fn is_same(old: &Run, new: &Run) -> bool {
    match (old, new) {
        (Run::Agent(old), Run::Agent(new)) => old == new,
        (Run::Cluster(old, path), Run::Cluster(new, new_path)) => (old, path) == (new, new_path),
        // The command line is the one that it was, and nothing else is reloaded.
        _ => true,
    }
}

/// A configuration that works, as far as can be known before its turn.
struct Next {
    command: Command,
    role: Role,
    listen: Listen,
}

/// Where the next generation of a role listens.
enum Listen {
    /// Where the one before does.
    Here,
    /// Elsewhere, already.
    There(TcpListener),
    /// At another address of the same port, which may be free only when the one before has ended.
    Later,
}

/// A role, and what it is told to work with.
enum Role {
    Agent(crate::agent::Options),
    Cluster(cluster::Options, Access),
}

impl Role {
    async fn of(run: &Run) -> Result<Self, String> {
        match run {
            Run::Agent(options) => Ok(Self::Agent(options.clone())),
            Run::Cluster(options, kubeconfig) => {
                let access = Access::read(kubeconfig.as_deref()).await?;
                Ok(Self::Cluster(options.clone(), access))
            }
            Run::Demo(_) | Run::Get(_) | Run::Scenarios => Err("it does not go on".to_owned()),
        }
    }

    fn access(&self) -> Option<Access> {
        match self {
            Self::Agent(_) => None,
            Self::Cluster(_, access) => Some(access.clone()),
        }
    }

    async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<(), String> {
        let ended = match self {
            Self::Agent(options) => agent::run(options, listener, stop).await,
            Self::Cluster(options, access) => {
                cluster::run(options, access.client(), listener, stop).await
            }
        };
        ended.map_err(|error| error.to_string())
    }
}
