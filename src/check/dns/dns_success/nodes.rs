//! Which nodes fail alone, and what remains without them.

use std::collections::BTreeMap;

use crate::check::dns::queries::{ENOUGH, fails};
use crate::model::{Name, Window};

/// Returns the nodes whose queries fail while those of most others do not, and what the others
/// add up to: that is judged without them, so that one node is one finding.
pub(super) fn single_out<'a>(nodes: &BTreeMap<&'a Name, Window>) -> (Vec<&'a Name>, Window) {
    let sum = |of: &dyn Fn(&Window) -> bool| {
        let mut sum = Window::default();
        nodes.values().filter(|window| of(window)).for_each(|window| sum.add(window));
        sum
    };
    let judged = nodes.values().filter(|window| window.attempts >= ENOUGH).count();
    let failing = nodes.values().filter(|window| fails(window)).count();
    let fine = sum(&|window| !fails(window));
    if failing * 2 > judged || fails(&fine) {
        return (Vec::new(), sum(&|_| true));
    }
    let alone = |window: &Window| fails(window) && is_no_chance(window, &fine);
    let named = nodes.iter().filter(|(_, window)| alone(window)).map(|(node, _)| *node);
    (named.collect(), sum(&|window| !alone(window)))
}

/// Whether it is clearly worse than `others`: of hundreds of nodes that lose 5 % each, some
/// lose 10 % for a while.
fn is_no_chance(window: &Window, others: &Window) -> bool {
    let expected = window.attempts as f64 * others.failed().unwrap_or_default();
    window.failures as f64 >= 3.0 + 3.0 * expected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(nodes: &[(u64, u64)]) -> (Vec<usize>, (u64, u64)) {
        let names: Vec<Name> = (0..nodes.len()).map(|at| format!("{at}").into()).collect();
        let windows = nodes.iter().map(|(attempts, failures)| Window {
            attempts: *attempts,
            failures: *failures,
            ..Window::default()
        });
        let (alone, others) = single_out(&names.iter().zip(windows).collect());
        let at = |name: &Name| names.iter().position(|known| known == name).unwrap();
        (alone.into_iter().map(at).collect(), (others.attempts, others.failures))
    }

    #[test]
    fn few_nodes_are_singled_out_and_many_are_not() {
        for (nodes, found, others) in [
            // One dead node of three, and two of four.
            (vec![(30, 0), (30, 30), (30, 1)], vec![1], (60, 1)),
            (vec![(30, 30), (30, 30), (30, 0), (30, 0)], vec![0, 1], (60, 0)),
            // Two of three are most, and so is the only one.
            (vec![(30, 30), (30, 30), (30, 0)], vec![], (90, 60)),
            (vec![(30, 30)], vec![], (30, 30)),
            // The one beside it has not asked enough to be compared with.
            (vec![(30, 30), (5, 0)], vec![], (35, 30)),
            // Everybody loses some, and one a little more.
            (vec![(30, 2), (30, 3), (30, 2), (30, 5)], vec![], (120, 12)),
            // Everybody loses some, and one nearly everything.
            (vec![(30, 2), (30, 3), (30, 2), (30, 28)], vec![3], (90, 7)),
            (vec![], vec![], (0, 0)),
        ] {
            assert_eq!(alone(&nodes), (found, others), "{nodes:?}");
        }
    }
}
