//! Which numbers come out of a double as they went in.

/// 2^53 - 1, the largest integer that JavaScript counts exactly.
const LARGEST: u64 = 9_007_199_254_740_991;
/// What it takes to tell any two doubles apart.
const DIGITS: usize = 17;

/// Whether an integer, given by its digits, is at most 2^53 - 1.
pub(super) fn integer_survives(digits: &str) -> bool {
    digits.parse::<u64>().is_ok_and(|value| value <= LARGEST)
}

/// Whether a number with a fraction or an exponent survives. `text` is all of it, `whole` and `fraction` its digits before
/// and behind the point.
pub(super) fn double_survives(text: &str, whole: &str, fraction: &str, exponent: bool) -> bool {
    let significant = significant(whole, fraction);
    if significant > DIGITS {
        return false;
    }
    let value: f64 = text.parse().unwrap_or(f64::INFINITY);
    // Without an exponent, an integer hidden behind a point (9007199254740993.0) counts as the integer it is.
    value.is_finite()
        && (value != 0.0 || significant == 0)
        && (exponent || value.abs() <= LARGEST as f64)
}

/// How many digits there are from the first to the last that is no zero.
fn significant(whole: &str, fraction: &str) -> usize {
    let padded = |digits: &str| digits.bytes().take_while(|digit| *digit == b'0').count();
    let trailing = |digits: &str| {
        digits
            .bytes()
            .rev()
            .take_while(|digit| *digit == b'0')
            .count()
    };
    let mut front = padded(whole);
    if front == whole.len() {
        front += padded(fraction);
    }
    let mut behind = trailing(fraction);
    if behind == fraction.len() {
        behind += trailing(whole);
    }
    (whole.len() + fraction.len()).saturating_sub(front + behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_that_only_pad_are_no_significant_digits() {
        for (whole, fraction, count) in [
            ("0", "", 0),
            ("0", "000", 0),
            ("0", "00120", 2),
            ("100", "", 1),
            ("100", "00", 1),
            ("10", "5000", 3),
            ("1", "000000000000000000000", 1),
            ("1", "00000000000000000001", 21),
        ] {
            assert_eq!(significant(whole, fraction), count, "{whole}.{fraction}");
        }
    }
}
