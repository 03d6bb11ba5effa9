//! The last report, and whether it can still be believed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::cluster::Clock;
use crate::owner::CADENCE;
use crate::report::Report;

/// A report of this age is no longer true: three times in a row none was made.
const OLD: Duration = CADENCE.saturating_mul(3);

/// Where the last report is, and the time by which its age is known.
pub struct Latest {
    /// The last report, if there is one.
    pub report: Arc<ArcSwapOption<Report>>,
    /// The time now.
    pub now: Box<dyn Fn() -> Clock + Send + Sync>,
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").finish_non_exhaustive()
    }
}

/// What there is to show.
pub(super) enum Current {
    Fresh(Arc<Report>),
    /// It is of this age, and no longer true.
    Old(Arc<Report>, Duration),
    None,
}

impl Latest {
    pub(super) fn current(&self) -> Current {
        let Some(report) = self.report.load_full() else { return Current::None };
        let age = (self.now)().since(report.at);
        if age < OLD { Current::Fresh(report) } else { Current::Old(report, age) }
    }
}
