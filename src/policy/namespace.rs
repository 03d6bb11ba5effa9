//! Namespaces, as selectors see them.

use std::collections::BTreeMap;

use super::verdict::{Reason, Says};
use crate::model::{Labels, Name, Selector};

/// The label that the API server gives every namespace: its name.
const NAME: &str = "kubernetes.io/metadata.name";

/// A namespace and its labels.
#[derive(Clone, Debug)]
pub struct InNamespace {
    name: Name,
    labels: Labels,
    /// Whether the other labels than its name are known.
    is_known: bool,
}

impl InNamespace {
    /// Takes a namespace by its name; `known` are its labels, where they are.
    pub fn new(name: &Name, known: Option<&Labels>) -> Self {
        let labels = known.filter(|labels| labels.get(NAME).is_some()).cloned();
        let labels = labels.unwrap_or_else(|| {
            let all = known.into_iter().flat_map(Labels::iter);
            let mut all: BTreeMap<Name, Name> =
                all.map(|(key, value)| (key.clone(), value.clone())).collect();
            all.insert(NAME.into(), name.clone());
            all.into()
        });
        Self { name: name.clone(), labels, is_known: known.is_some() }
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether `selector` matches it, or may as far as can be seen.
    pub fn may_be(&self, selector: &Selector) -> bool {
        self.says(selector) != Says::No
    }

    /// Whether `selector` matches it.
    pub(super) fn says(&self, selector: &Selector) -> Says {
        let mut keys = selector.labels.iter().map(|(key, _)| key);
        let mut others = selector.expressions.iter().map(|it| &it.key);
        let is_name = |key: &Name| **key == *NAME;
        if self.is_known || (keys.all(is_name) && others.all(is_name)) {
            selector.matches(&self.labels).into()
        } else {
            Says::Perhaps(Reason::Namespace)
        }
    }
}
