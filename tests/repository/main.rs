//! What this repository holds, against the program: its names, tables, rules, dashboards, chart and golden cases.
//!
//! One binary, because each is linked for a second or more: a test that starts nothing is a module here, and
//! `cargo test --test repository golden` runs those of one.

mod alerting;
mod catalog;
mod config;
mod dependencies;
mod deploy;
mod golden;
mod layering;
mod manifests;
mod openmetrics;
#[path = "../../dashboards/queries.rs"]
mod queries;
mod readme;
#[path = "../../dashboards/render/mod.rs"]
mod render;
#[path = "../../alerts/rules.rs"]
mod rules;
#[path = "../../alerts/source/mod.rs"]
mod source;
