//! How long to wait before the next try.

use std::time::Duration;

/// The first pause, before jitter.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause, with jitter.
const LONGEST: Duration = Duration::from_secs(60);

/// What goes well for this long begins anew with the first pause.
const HEALTHY: Duration = Duration::from_secs(120);

/// Pauses of 1 to 60 s that double, with jitter, so that a thousand agents do not return at
/// once.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: FIRST }
    }
}

impl Backoff {
    /// Begins anew, if all went well for the last `healthy`, which is long enough.
    pub fn heal(&mut self, healthy: Duration) {
        if healthy >= HEALTHY {
            self.base = FIRST;
        }
    }

    /// Returns the next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.base.mul_f64(1.0 + fastrand::f64()).min(LONGEST);
        self.base = (self.base * 2).min(LONGEST / 2);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_two_healthy_minutes() {
        let mut backoff = Backoff::default();
        for (healthy, least) in
            [(0, 1), (0, 2), (119, 4), (0, 8), (0, 16), (0, 30), (0, 30), (120, 1), (0, 2)]
        {
            backoff.heal(Duration::from_secs(healthy));
            let pause = backoff.pause().as_secs_f64();
            let most = 2.0 * f64::from(least);
            assert!((f64::from(least)..=most).contains(&pause), "{pause} s after {least} s");
        }
    }
}
