//! Numbers as statements have them.

use std::time::Duration;

/// Returns a count with its thousands apart: `5,812`.
pub(super) fn count(count: impl TryInto<u64>) -> String {
    let digits = count.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a share in percent: `99.98 %`. What is not all is never rounded to 100 %, and what is
/// not nothing never to 0 %.
pub(super) fn share(part: u64, all: u64) -> String {
    let hundredths = match part {
        0 => 0,
        part if part >= all => 10_000,
        part => (u128::from(part) * 10_000 / u128::from(all)).max(1),
    };
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Returns a count with its noun, which takes an `s` for any number but one.
pub(super) fn some(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// Goes on with how many are otherwise, and leaves out what none is: `, 2 pending`.
pub(super) fn others(of: impl IntoIterator<Item = (usize, &'static str)>) -> String {
    let there = of.into_iter().filter(|(number, _)| *number > 0);
    there.map(|(number, words)| format!(", {} {words}", count(number))).collect()
}

/// Returns a length of time in the largest unit of which there are two: `12 min`, `3 h`, `5 d`.
pub(super) fn long(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (number, unit) = match minutes {
        0..120 => (minutes, "min"),
        120..2880 => (minutes / 60, "h"),
        _ => (minutes / 1440, "d"),
    };
    format!("{} {unit}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_at_least_two_of_its_unit() {
        for (minutes, text) in
            [(0, "0 min"), (119, "119 min"), (120, "2 h"), (2879, "47 h"), (2880, "2 d")]
        {
            assert_eq!(long(Duration::from_secs(minutes * 60 + 59)), text);
        }
        assert_eq!(long(Duration::from_secs(86_400 * 1234)), "1,234 d");
    }

    #[test]
    fn counts_are_readable_and_shares_never_say_more_than_is_so() {
        for (number, text) in
            [(0_u64, "0"), (999, "999"), (5812, "5,812"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
        for (part, all, text) in [
            (0, 0, "0 %"),
            (90, 90, "100 %"),
            (5811, 5812, "99.98 %"),
            (99_999_999, 100_000_000, "99.99 %"),
            (1, 100_000_000, "0.01 %"),
            (1, 2, "50 %"),
            (1, 8, "12.5 %"),
        ] {
            assert_eq!(share(part, all), text, "{part} of {all}");
        }
        assert_eq!((some(1, "node"), some(2000, "node")), ("1 node".into(), "2,000 nodes".into()));
    }
}
