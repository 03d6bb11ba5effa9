//! Numbers as statements have them.

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

#[cfg(test)]
mod tests {
    use super::*;

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
