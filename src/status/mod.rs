//! The page at `/`: the verdict, and the ladder under it; plain HTML that asks no other server.
//!
//! Without scripts and without requests to other servers, so that it works in a cluster whose
//! network is broken, and so that no name in it can do anything.

mod escape;
mod page;
pub mod runbooks;

pub use page::{landing, write};

/// What every page looks like, in light and in dark.
pub const STYLE: &str = include_str!("style.css");

/// What a browser may do with our pages: use the style, and follow links.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";
