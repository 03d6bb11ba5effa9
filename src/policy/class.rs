//! Pods of one namespace that no selector tells apart.

use super::traffic::Direction;
use super::verdict::{Doubt, Reason, Says, Verdict};
use crate::model::{Key, Kind, Labels, NetworkPolicy, Rule};

/// What selects such pods.
#[derive(Debug)]
pub(super) struct Class<'a> {
    /// Which one of all that are known.
    pub(super) number: usize,
    egress: Isolation<'a>,
    ingress: Isolation<'a>,
    /// The kind of a policy of another API that selects them.
    pub(super) other_api: Option<&'static Kind>,
}

/// The policies that speak of one direction.
#[derive(Debug)]
pub(super) struct Isolation<'a> {
    /// Those that select the pods, with their rules.
    surely: Vec<(&'a Key, &'a [Rule])>,
    /// Those of which nobody can say whether they do.
    perhaps: Vec<(&'a Key, &'a [Rule])>,
    /// Whether there may be one more that nobody can read.
    lacks_one: bool,
}

impl<'a> Class<'a> {
    /// Looks at `candidates` for those that select pods with these labels.
    pub(super) fn new(
        number: usize,
        candidates: &[(&'a Key, &'a NetworkPolicy)],
        labels: &Labels,
        lacks_one: bool,
        other_api: Option<&'static Kind>,
    ) -> Self {
        let isolation = || Isolation { surely: Vec::new(), perhaps: Vec::new(), lacks_one };
        let mut class = Self { number, egress: isolation(), ingress: isolation(), other_api };
        for (key, policy) in candidates {
            let selects = policy.selector.matches(labels);
            if selects == Some(false) {
                continue;
            }
            let both = [(&mut class.egress, &policy.egress), (&mut class.ingress, &policy.ingress)];
            for (isolation, rules) in both {
                let Some(rules) = rules else { continue };
                let of =
                    if selects.is_some() { &mut isolation.surely } else { &mut isolation.perhaps };
                of.push((*key, &**rules));
            }
        }
        class
    }

    pub(super) fn isolation(&self, direction: Direction) -> &Isolation<'a> {
        match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        }
    }
}

impl<'a> Isolation<'a> {
    /// Returns the policies that surely select the pods.
    pub(super) fn policies(&self) -> impl Iterator<Item = &'a Key> {
        self.surely.iter().map(|(key, _)| *key)
    }

    /// Says whether what `through` says of rules comes through all of them taken together.
    pub(super) fn verdict(&self, through: impl Fn(&[Rule]) -> Says) -> Verdict<'a> {
        let undecoded = Doubt { reason: Reason::Undecoded, policy: None };
        let mut doubt = self.lacks_one.then_some(undecoded);
        for (key, rules) in &self.surely {
            match through(rules) {
                // Policies add up: none takes back what another lets through.
                Says::Yes => return Verdict::Allow,
                Says::Perhaps(reason) => {
                    doubt = doubt.max(Some(Doubt { reason, policy: Some(key) }));
                }
                Says::No => {}
            }
        }
        let isolated = !self.surely.is_empty();
        for (key, rules) in &self.perhaps {
            // To isolated pods it could open what is closed, and close what is open to others.
            let changes_nothing = if isolated { Says::No } else { Says::Yes };
            if through(rules) != changes_nothing {
                let one = Doubt { reason: Reason::NotUnderstood, policy: Some(key) };
                doubt = doubt.max(Some(one));
            }
        }
        match doubt {
            Some(doubt) => Verdict::Indeterminate(doubt),
            None if isolated => Verdict::Deny(self.policies().collect()),
            None => Verdict::Allow,
        }
    }
}
