//! What is around a Corefile, against which it is judged.

use std::net::IpAddr;

use crate::model::Window;

/// What is around a Corefile.
pub(super) struct Around<'a> {
    /// The addresses of the DNS Service.
    pub(super) service: &'a [IpAddr],
    /// The addresses of the pods behind it.
    pub(super) pods: Vec<IpAddr>,
    /// The cluster's domain, as pods have it.
    pub(super) domain: Option<String>,
    /// The queries for a name of the cluster.
    pub(super) asked: Window,
}
