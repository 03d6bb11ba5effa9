//! Follows `/etc/resolv.conf`, whose servers probes ask as workloads do.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use tokio::sync::watch::Sender;
use tokio::time::sleep;

use super::readings::{Input, Readings};
use super::resolv_conf::ResolvConf;
use super::{Context, Part, Running, short};
use crate::model::Vantage;
use crate::task::apart_within;

/// Follows the file; without it the agent asks no nameserver.
pub static PART: Part = Part { vantages: &Vantage::ALL, switches: Vec::new, families: &[], start };

/// Between two readings: it hardly ever changes in a pod, and on a node it does.
const INTERVAL: Duration = Duration::from_secs(10);

/// For one reading: a pipe, or a file system that is gone, never ends.
const DEADLINE: Duration = Duration::from_secs(10);

fn start(context: &Context) -> Running {
    let context = context.clone();
    Running::default().task("resolv_conf", move |task| {
        let Context { options, conf, readings, .. } = context.clone();
        async move { follow(&options.resolv_conf, &conf, &readings, move || task.beat()).await }
    })
}

/// Reads the file again and again, and publishes what has changed; a bad one changes nothing.
pub async fn follow(
    path: &Path,
    conf: &Sender<Arc<ResolvConf>>,
    readings: &Readings,
    mut alive: impl FnMut(),
) {
    loop {
        alive();
        let path = path.to_owned();
        let read = apart_within(DEADLINE, move || read(&path)).await.flatten();
        if let Some(new) = readings.read(Input::ResolvConf, read) {
            conf.send_if_modified(|old| {
                let modified = **old != new;
                if modified && let Some(odd) = &new.odd {
                    let remedy =
                        "name an address, and of a link-local one an interface of this pod";
                    tracing::warn!(nameserver = odd, remedy, "a nameserver is passed over");
                }
                *old = Arc::new(new);
                modified
            });
        }
        sleep(INTERVAL).await;
    }
}

/// Reads the file once.
fn read(path: &Path) -> io::Result<ResolvConf> {
    let named =
        |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let text = short(path).map_err(|error| named(&error))?;
    let interface = |name: &str| if_nametoindex(name).ok();
    ResolvConf::parse(&text, interface).map_err(|error| named(&error))
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::model::Agent;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_is_read_again_and_one_that_goes_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        std::fs::write(&path, "nameserver 10.0.0.1").unwrap();
        let (conf, mut seen) = watch::channel(Arc::default());
        let readings =
            Arc::new(Readings::new(Agent { node: "n".into(), vantage: Default::default() }));
        let following = {
            let (path, readings) = (path.clone(), readings.clone());
            tokio::spawn(async move { follow(&path, &conf, &readings, || {}).await })
        };
        let mut next = async || {
            seen.changed().await.unwrap();
            seen.borrow_and_update().nameservers[0].address.to_string()
        };
        assert_eq!(next().await, "10.0.0.1");
        std::fs::remove_file(&path).unwrap();
        sleep(INTERVAL * 2).await;
        std::fs::write(&path, "nameserver 10.0.0.2").unwrap();
        assert_eq!(next().await, "10.0.0.2", "and nothing in between");
        following.abort();
        let gone = read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(gone.ends_with("none: No such file or directory (os error 2)"), "{gone}");
    }
}
