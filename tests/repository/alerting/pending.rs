//! Names that rules and panels already use and the program is yet to have.
//!
//! This list only ever gets shorter: a test fails for every name that has come.

use netvitals::family::Desc;

/// The families.
pub(crate) static FAMILIES: &[Desc] = &[];

/// The codes of findings.
pub(crate) static CODES: &[&str] = &[];
