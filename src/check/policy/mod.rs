//! Policies: what they keep apart that belongs together.

mod engines;
mod gaps;
mod isolated;
mod object;
pub mod policy_dns_egress;
pub mod policy_selectors;
pub mod policy_service_ingress;
