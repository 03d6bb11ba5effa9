//! What an expression about pods asks for, of them and of their namespaces.

use crate::model::{Expression, Labels, Selector, Subject};

/// The label that every namespace has: its name.
pub(super) const NAME: &str = "kubernetes.io/metadata.name";

/// What is asked for, told apart by where it is a label.
#[derive(Default)]
pub(super) struct Both {
    pub(super) namespaces: Vec<Expression>,
    pub(super) pods: Vec<Expression>,
}

impl Both {
    pub(super) fn subject(self) -> Subject {
        let selector = |expressions| Selector { labels: Labels::default(), expressions };
        let namespaces = (!self.namespaces.is_empty()).then(|| selector(self.namespaces));
        Subject { namespaces, pods: selector(self.pods) }
    }
}
