//! What holds the facts and follows them: all that is known of a cluster at one moment.
//!
//! From the ground up: `clock`, `event` and `table` know one kind each; `state` is all of them,
//! and brings every change of an object to those that follow it; `endpoints` is one of these;
//! `followers` lists them; `agents` says which agents can be believed, `known` what they may
//! speak of. Without I/O; time comes in as a value.

pub mod agents;
mod change;
mod clock;
pub mod endpoints;
mod event;
mod followers;
mod known;
mod settings;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use change::{Apply, Change};
pub use clock::Clock;
pub use event::Event;
pub use settings::Settings;
pub use state::{Cluster, Follower, Observed, Step};
pub use table::{Freshness, STALE_AFTER, Table};
