//! `netvitals get`: what a role serves, for an image that holds no other program.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::http::get::{Failed, get};

/// A name or an answer of one of its addresses later than this is none.
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
    let name = server.trim_start_matches("http://");
    let found = timeout(DEADLINE, lookup_host(name)).await;
    let found = found.map_err(|_| fail(&"the name is not resolved within 10 s"))?;
    let addresses = found.map_err(|error| fail(&error))?;
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
