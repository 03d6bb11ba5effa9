//! Policies: what they keep apart that belongs together.

pub mod policy_dns_egress;
