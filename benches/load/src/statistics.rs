//! What rounds come to.

use serde::Serialize;

/// Of one number over rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// The quartiles, between which half of the rounds lie.
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) rounds: usize,
}

impl Spread {
    /// None without a round.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            least: quantile(&sorted, 0.0)?,
            most: quantile(&sorted, 1.0)?,
            lower: quantile(&sorted, 0.25)?,
            upper: quantile(&sorted, 0.75)?,
            rounds: sorted.len(),
        })
    }
}

/// Between the two values that are nearest, in proportion.
pub(crate) fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = part * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.5, 4.0));
        assert_eq!((spread.lower, spread.upper), (1.75, 3.25));
        assert_eq!(Spread::of([]), None);
    }
}
