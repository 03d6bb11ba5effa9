//! What selectors match among the pods and namespaces that are here.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::cluster::Table;
use crate::model::{
    Key, Labels, Name, NameMap, Namespace, Operator, Peer, Pod, Ports, Protocol, Rule, Selector,
    Unknown,
};
use crate::policy::InNamespace;

/// Pods that no selector tells apart.
type Alike<'a> = (&'a Labels, &'a Ports);

/// Those of one namespace, or why they are not known.
type InOne<'a> = Result<Rc<[Alike<'a>]>, Unknown>;

/// The pods and namespaces that are here.
pub(super) struct Selected<'a> {
    pods: &'a Table<Pod>,
    namespaces: Vec<(&'a Name, InNamespace)>,
    labels: &'a Table<Namespace>,
    /// The namespaces that were asked for.
    seen: RefCell<NameMap<Name, InOne<'a>>>,
    /// The positions of the namespaces that a selector may match: many policies have the same one.
    matching: RefCell<HashMap<Selector, Rc<[usize]>>>,
}

impl<'a> Selected<'a> {
    pub(super) fn new(pods: &'a Table<Pod>, namespaces: &'a Table<Namespace>) -> Self {
        let all = namespaces.iter().map(|(key, namespace)| {
            (&key.name, InNamespace::new(&key.name, Some(&namespace.labels)))
        });
        Self {
            pods,
            namespaces: all.collect(),
            labels: namespaces,
            seen: RefCell::default(),
            matching: RefCell::default(),
        }
    }

    /// Whether `selector` matches a pod of a namespace, or may; without one any pod.
    ///
    /// # Errors
    ///
    /// Returns why that is not known: a pod cannot be decoded.
    pub(super) fn any(
        &self,
        namespace: &Name,
        selector: Option<&Selector>,
    ) -> Result<bool, Unknown> {
        let is_one = |labels: &Labels| selector.is_none_or(|it| it.matches(labels) != Some(false));
        Ok(self.alike(namespace)?.iter().any(|(labels, _)| is_one(labels)))
    }

    /// Whether `selector` matches a pod of a namespace that `namespaces` matches.
    ///
    /// # Errors
    ///
    /// As [`Self::any`].
    pub(super) fn any_in(
        &self,
        namespaces: &Selector,
        selector: Option<&Selector>,
    ) -> Result<bool, Unknown> {
        // One that cannot be decoded may be meant.
        if self.labels.has_undecoded() {
            return Ok(true);
        }
        for at in self.matching(namespaces).iter() {
            if self.any(self.namespaces[*at].0, selector)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a pod that `selector` matches declares a port of that name.
    ///
    /// # Errors
    ///
    /// As [`Self::any`].
    pub(super) fn any_declares(
        &self,
        namespace: &Name,
        selector: &Selector,
        name: &Name,
        protocol: Protocol,
    ) -> Result<bool, Unknown> {
        let alike = self.alike(namespace)?;
        let mut own = alike.iter().filter(|(labels, _)| selector.matches(labels) != Some(false));
        Ok(own.any(|(_, ports)| ports.number(name, protocol).is_some()))
    }

    /// Returns a label, and its value, for which some peer of a rule asks and which no namespace has, not even the one
    /// that is called as the value.
    pub(super) fn lacking<'r>(&self, rule: &'r Rule) -> Option<(&'r Name, &'r Name)> {
        if self.labels.has_undecoded() {
            return None;
        }
        let selectors = rule.peers.iter().filter_map(|peer| match peer {
            Peer::Pods { namespaces, .. } => namespaces.as_ref(),
            Peer::Block { .. } | Peer::Other => None,
        });
        selectors.filter(|it| self.matching(it).is_empty()).find_map(|it| {
            let single = |operator: &Operator, values: &'r [Name]| match (operator, values) {
                (Operator::In, [value]) => Some(value),
                _ => None,
            };
            let labels = it.labels.iter();
            let expressions = it
                .expressions
                .iter()
                .filter_map(|of| Some((&of.key, single(&of.operator, &of.values)?)));
            labels.chain(expressions).find_map(|(label, value)| {
                let namespace = self.labels.get(&Key::new("", value.clone()))?;
                let has = namespace.labels.get(label) == Some(value);
                (!has && **label != *"kubernetes.io/metadata.name").then_some((label, value))
            })
        })
    }

    fn matching(&self, selector: &Selector) -> Rc<[usize]> {
        if let Some(known) = self.matching.borrow().get(selector) {
            return known.clone();
        }
        let all = self.namespaces.iter().zip(0..);
        let matching: Rc<[usize]> =
            all.filter(|((_, of), _)| of.may_be(selector)).map(|(_, at)| at).collect();
        self.matching.borrow_mut().insert(selector.clone(), matching.clone());
        matching
    }

    fn alike(&self, namespace: &Name) -> InOne<'a> {
        if let Some(known) = self.seen.borrow().get(namespace) {
            return known.clone();
        }
        let pods = self.pods.namespace(namespace).map(|pods| {
            let here = pods.filter(|(_, pod)| !pod.ended && !pod.host_network);
            let alike: HashSet<Alike<'_>> =
                here.map(|(_, pod)| (&pod.labels, &pod.ports)).collect();
            Rc::from_iter(alike)
        });
        self.seen.borrow_mut().insert(namespace.clone(), pods.clone());
        pods
    }
}
