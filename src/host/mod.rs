//! What agents on the nodes' own network read there, below the root that they are given.

pub mod cgroup;
