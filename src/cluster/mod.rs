//! What holds the facts and follows them: all that is known of a cluster at one moment.
//!
//! From the ground up: `clock`, `event`, `life`, `table` and `fold` know one kind each; `state` is all
//! of them, and brings every change of an object to those that follow it; `balancers`, `endpoints`,
//! `restarts` and `sandboxes` are such, `followers` lists them; `pod_events` and `service_events` are
//! what is remembered of kinds that are not kept; `agents` says which agents can be believed, `known`
//! what they may speak of.
//! Without I/O; time comes in as a value.

pub mod agents;
pub mod balancers;
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
mod service_events;
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
pub use service_events::ServiceEvents;
pub use settings::Settings;
pub use state::{Cluster, Follower, Observed, Step};
pub use table::Table;
