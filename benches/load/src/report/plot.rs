//! Plots: bars with the spread of their rounds. SVG that suits light and dark pages.

use std::fmt::Write as _;

use super::table::amount;
use crate::{
    rounds::{Results, Rounds, Summary},
    works::Unit,
};

const WIDTH: f64 = 720.0;
/// Where bars begin, or further right behind longer labels, and the room for them; numbers stand behind.
const LEFT: f64 = 170.0;
const LETTER: f64 = 7.0;
const LONGEST: f64 = 400.0;
const ROW: f64 = 26.0;
const TOP: f64 = 44.0;

/// A dark page is known by the reader's own setting.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600}.n{fill:#59636e}\
.w{fill:#0969da}.r{fill:#afb8c1}.s{stroke:#1f2328;stroke-width:1.5;fill:none}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.n{fill:#9198a1}.w{fill:#4493f8}.r{fill:#545d68}.s{stroke:#e6edf3}}";

struct Bar<'a> {
    label: String,
    summary: &'a Summary,
    ours: bool,
}

/// A plot for each work, by its name.
pub(super) fn all(results: &[Results]) -> Vec<(String, String)> {
    results
        .iter()
        .filter_map(|results| Some((results.work.clone(), of(results)?)))
        .collect()
}

fn of(results: &Results) -> Option<String> {
    let summaries = results.summaries();
    let of_many = summaries.len() > 1;
    let bars: Vec<Bar<'_>> = summaries
        .iter()
        .enumerate()
        .flat_map(|(index, (rounds, figures))| {
            let of_another = |unit| matches!(unit, Unit::Count | Unit::Part | Unit::MoreRoundTrips);
            let figures = figures.iter().filter(move |it| !of_another(it.unit));
            figures.map(move |summary| Bar {
                label: label(rounds, summary, of_many),
                summary,
                ours: index == 0,
            })
        })
        .collect();
    // Bars of different units have no common length.
    let unit = bars.first()?.summary.unit;
    let bars: Vec<Bar<'_>> = bars
        .into_iter()
        .filter(|bar| bar.summary.unit == unit)
        .collect();
    let most = bars
        .iter()
        .map(|bar| bar.summary.value.most)
        .fold(0.0, f64::max);
    Some(draw(&results.title, unit, &bars, most))
}

fn label(rounds: &Rounds, summary: &Summary, of_many: bool) -> String {
    match (summary.name, of_many) {
        ("", _) => rounds.name.clone(),
        (name, true) => format!("{}, {name}", rounds.name),
        (name, false) => name.to_owned(),
    }
}

fn draw(title: &str, unit: Unit, bars: &[Bar<'_>], most: f64) -> String {
    let height = TOP + ROW * bars.len() as f64 + 8.0;
    let better = match unit {
        Unit::PerCpuSecond => "for each second of the server's processor time; longer is better",
        _ => "shorter is better",
    };
    let letters = bars.iter().map(|bar| bar.label.chars().count()).max();
    let left = LEFT.max(letters.unwrap_or(0) as f64 * LETTER + 16.0);
    let (title, long) = (escaped(title), |value: f64| {
        value / most.max(1e-9) * LONGEST
    });
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"><title>{title}</title><style>{STYLE}</style><text class="t" x="8" y="18">{title}</text><text class="n" x="8" y="35">{better}</text>"#
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let value = &bar.summary.value;
        let class = if bar.ours { "w" } else { "r" };
        let (least, up_to) = (left + long(value.least), left + long(value.most));
        let (text, middle) = (y + 15.0, y + 10.0);
        let number = amount(value.median, unit);
        // Writing to a String never fails.
        let _ = write!(
            svg,
            r#"<text x="{:.0}" y="{text}" text-anchor="end">{}</text><rect class="{class}" x="{left}" y="{y}" width="{:.1}" height="20" rx="2"/><path class="s" d="M{least:.1} {middle}H{up_to:.1}M{least:.1} {}v8M{up_to:.1} {}v8"/><text class="n" x="{:.1}" y="{text}">{number}</text>"#,
            left - 8.0,
            escaped(&bar.label),
            long(value.median),
            middle - 4.0,
            middle - 4.0,
            up_to + 8.0,
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
