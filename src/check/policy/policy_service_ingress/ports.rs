//! One port of a Service, as policies see it: at its pods.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::policy::object;
use crate::model::{Key, Name, Protocol};
use crate::policy::{Reason, Verdict};

/// A port and the pods where it leads.
#[derive(Debug)]
pub(super) struct Port<'a> {
    protocol: Protocol,
    /// The numbers that it has in pods to which nobody is let in.
    numbers: BTreeSet<u16>,
    open: BTreeSet<&'a Name>,
    shut: BTreeSet<&'a Name>,
    /// One of those, and the policies that keep everybody from it.
    one: Option<(&'a Name, Vec<&'a Key>)>,
    doubt: Option<Reason>,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Way {
    /// Somebody, to each pod.
    Open,
    /// Somebody, to some pods.
    Partly,
    /// Nobody, to any pod.
    Shut,
}

impl<'a> Port<'a> {
    pub(super) const fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            numbers: BTreeSet::new(),
            open: BTreeSet::new(),
            shut: BTreeSet::new(),
            one: None,
            doubt: None,
        }
    }

    pub(super) fn add(&mut self, number: u16, pod: &'a Name, verdict: &Verdict<'a>) {
        match verdict {
            Verdict::Allow => {
                self.open.insert(pod);
            }
            Verdict::Deny(by) => {
                self.one.get_or_insert_with(|| (pod, by.clone()));
                self.shut.insert(pod);
                self.numbers.insert(number);
            }
            Verdict::Indeterminate(doubt) => self.doubt = self.doubt.max(Some(doubt.reason)),
            Verdict::NotApplicable(_) => {}
        }
    }

    /// Says who is let in; open also where no pod has a network of its own.
    ///
    /// # Errors
    ///
    /// Returns what would have to be known.
    pub(super) fn way(&self) -> Result<Way, Reason> {
        match (self.doubt, self.open.is_empty(), self.shut.is_empty()) {
            (Some(reason), ..) => Err(reason),
            (None, _, true) => Ok(Way::Open),
            (None, true, false) => Ok(Way::Shut),
            (None, false, false) => Ok(Way::Partly),
        }
    }

    /// Whether nobody is let in to at least one pod.
    pub(super) fn is_shut_to_one(&self) -> bool {
        !self.shut.is_empty()
    }

    /// Returns the numbers that it has in pods to which nobody is let in.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        self.numbers.iter().copied()
    }

    /// Returns a pod to which nobody is let in, and the policies that keep everybody away.
    pub(super) fn one(&self) -> Option<(&'a Name, &[&'a Key])> {
        self.one.as_ref().map(|(pod, by)| (*pod, &**by))
    }

    /// Returns to how many pods nobody is let in, and of how many.
    pub(super) fn pods(&self) -> (usize, usize) {
        (self.shut.len(), self.open.len() + self.shut.len())
    }

    /// Returns it as a rule of a policy has it.
    pub(super) fn as_rule(&self) -> impl Iterator<Item = Value> {
        self.numbers().map(|number| object::port(self.protocol, number))
    }
}
