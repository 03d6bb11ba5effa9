//! Faults: each is made by one call, and undone when what the call returned is dropped.

mod control_plane;
mod coredns;
mod node;
mod policy;
mod rules;

pub(crate) use self::coredns::dig;

use crate::wait::undo;

/// A fault that is there. Dropped, it is gone.
#[must_use = "a fault that is dropped is gone"]
pub(crate) struct Fault<'a> {
    undo: Option<Box<dyn FnOnce() + 'a>>,
}

impl<'a> Fault<'a> {
    /// A fault that was made, and how it is undone.
    pub(crate) fn new(undo: impl FnOnce() + 'a) -> Self {
        Self { undo: Some(Box::new(undo)) }
    }

    /// Undoes it.
    pub(crate) fn heal(self) {}

    /// Two faults as one; the second is undone first.
    pub(crate) fn and(self, second: Self) -> Self {
        Self::new(move || {
            drop(second);
            drop(self);
        })
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        if let Some(how) = self.undo.take() {
            undo(how);
        }
    }
}
