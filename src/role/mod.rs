//! Wiring, one file per subcommand: no logic.

pub mod agent;
pub mod cluster;
