//! A cluster in one process: the API, DNS, pods, Services and control groups, on loopback.
//!
//! What it serves is plain JSON, as an API server would write it, and never made of the types
//! that read it: a field misspelt on one side has to show.

pub mod api;
