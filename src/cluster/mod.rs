//! What holds the facts and follows them: all that is known of a cluster at one moment.
//!
//! From the ground up: `clock`, `event`, `life`, `table` and `fold` know one kind each; `state` is all
//! of them, and brings every change of an object to those that follow it; `endpoints`, `restarts`
//! and `sandboxes` are three of these, `followers` lists them; `pod_events` is what is remembered of a kind
//! that is not kept; `agents` says which agents can be believed, `known` what they may speak of.
//! Without I/O; time comes in as a value.

pub mod agents;
mod change;
mod clock;
pub mod endpoints;
mod event;
mod fold;
mod followers;
mod known;
mod life;
mod pod_events;
mod recent;
pub mod restarts;
pub mod sandboxes;
mod settings;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use change::{Apply, Change};
pub use clock::Clock;
pub use event::Event;
pub use fold::Folded;
pub use life::{Freshness, STALE_AFTER};
pub use pod_events::{PodEvents, Told};
pub use settings::Settings;
pub use state::{Cluster, Follower, Observed, Step};
pub use table::Table;
