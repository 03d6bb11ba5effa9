//! Whether it is the target that fails, or those who look at it: k of m.

/// How many look at one target, and how many of them see it fail.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Observers {
    /// Those that looked often enough.
    pub all: usize,
    /// Those that see it fail.
    pub failing: usize,
}

impl Observers {
    /// Counts one more.
    pub fn add(&mut self, failing: bool) {
        self.all += 1;
        self.failing += usize::from(failing);
    }

    /// Whether so many see it fail that it is the target's fault: two thirds, which are two of two
    /// and the only one.
    pub fn agree(self) -> bool {
        self.failing > 0 && self.failing >= (2 * self.all).div_ceil(3)
    }
}

#[cfg(test)]
mod tests {
    use super::Observers;

    #[test]
    fn two_thirds_have_to_agree_and_no_fewer_than_two_unless_there_is_one() {
        let least = |all| (0..=all).find(|failing| Observers { all, failing: *failing }.agree());
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 16].map(least),
            [None, Some(1), Some(2), Some(2), Some(3), Some(4), Some(4), Some(11)]
        );
    }

    #[test]
    fn observers_add_up() {
        let mut observers = Observers::default();
        [true, false, true].into_iter().for_each(|failing| observers.add(failing));
        assert_eq!(observers, Observers { all: 3, failing: 2 });
    }
}
