//! `netvitals get`: what a role serves, for an image that holds no other program.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::http::get::{Failed, get};
use crate::http::lookup;

/// For the name, and again for the answer of each of its addresses.
const DEADLINE: Duration = Duration::from_secs(10);

/// A longer answer is none: more than the page of a cluster of thousands of nodes.
const MOST: usize = 64 << 20;

/// What to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, as `http://host:port`.
    pub server: String,
    /// The path.
    pub path: String,
}

/// Prints an answer of status 200.
///
/// # Errors
///
/// Fails with one line that says why there is no such answer.
pub async fn run(options: &Options) -> Result<ExitCode, String> {
    let Options { server, path } = options;
    let fail = |why: &dyn std::fmt::Display| format!("{server}{path}: {why}");
    let found = lookup::all(server.trim_start_matches("http://"), DEADLINE).await;
    let addresses =
        found.map_err(|error| fail(&format!("the name cannot be resolved: {error}")))?;
    let mut last = None;
    for address in addresses {
        match get(address, path, DEADLINE, MOST).await {
            Ok(body) => {
                io::stdout().write_all(&body).map_err(|error| fail(&error))?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(failed @ Failed::Connect(_)) => last = Some(failed),
            Err(failed) => return Err(fail(&failed)),
        }
    }
    Err(last.map_or_else(|| fail(&"the name has no address"), |failed| fail(&failed)))
}
