//! The section of docs/benchmarks.md that a run of everything writes anew.

use std::fmt::Write as _;

use super::{
    Machine,
    table::{BUSY, TAKEN, amount},
    targets,
};
use crate::{
    Failure,
    arguments::Plan,
    rounds::{Results, Rounds, Summary},
    statistics::Spread,
};

/// Before and behind what a run writes.
type Marks = (&'static str, &'static str);

const ALL: Marks = (
    "<!-- results: written by `cargo xtask bench`, not by hand -->\n",
    "<!-- end of results -->",
);
const CHANNELS: Marks = (
    "<!-- channels: written by `cargo xtask bench channels`, not by hand -->\n",
    "<!-- end of channels -->",
);
const OPENING: Marks = (
    "<!-- opening: written by `cargo xtask bench opening`, not by hand -->\n",
    "<!-- end of opening -->",
);

/// The page with what this run has written between its marks.
pub(super) fn replaced(page: &str, run: &str, section: &str) -> Result<String, Failure> {
    let (begin, end) = match run {
        "channels" => CHANNELS,
        "opening" => OPENING,
        _ => ALL,
    };
    let (before, rest) = page
        .split_once(begin)
        .ok_or("no mark where results begin")?;
    let (_, after) = rest.split_once(end).ok_or("no mark where results end")?;
    Ok(format!("{before}{begin}{section}{end}{after}"))
}

/// Everything that was measured, with its targets.
pub(super) fn section(plan: &Plan, machine: &Machine, results: &[Results]) -> String {
    let mut text = format!(
        "\n{}, {} cores, {} GiB, {}, on {} UTC, at commit `{}`; {} rounds of {} s.\n",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.date,
        machine.commit,
        plan.rounds,
        plan.spans.measured.as_secs_f64(),
    );
    if !plan.complete {
        text += "\n**This run was not complete**";
        if !plan.missing.is_empty() {
            let _ = write!(text, ": {} could not be had", plan.missing.join(", "));
        }
        text += ".\n";
    }
    text += &all_targets(results);
    for results in results {
        text += &work(results);
    }
    text
}

fn all_targets(results: &[Results]) -> String {
    let mut text =
        "\n### Targets\n\n| work | target | measured | |\n| --- | --- | --- | --- |\n".to_owned();
    for results in results {
        for verdict in targets::verdicts(results) {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                results.title,
                verdict.target,
                verdict.measured.as_deref().unwrap_or("not measured"),
                match verdict.met {
                    Some(true) => "met",
                    Some(false) => "**not met**",
                    None => "**open**",
                },
            );
        }
    }
    text
}

fn work(results: &Results) -> String {
    let Results { work, title, .. } = results;
    let mut text = format!(
        "\n### {title}\n\n`cargo xtask bench {work}`\n\n![{title}](benchmarks/{work}.svg)\n\n\
         | server | median | all rounds | half of them | Wardwire is better by | core busy |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    for (rounds, summaries) in results.summaries() {
        for summary in &summaries {
            text += &row(rounds, summary);
        }
        if let Some(failure) = &rounds.failure {
            let _ = writeln!(text, "| {} | failed: {failure} | | | | |", rounds.name);
        }
    }
    text
}

fn row(rounds: &Rounds, summary: &Summary) -> String {
    let value = &summary.value;
    let shown = |number| amount(number, summary.unit);
    let who = match summary.name {
        "" => format!("{} {}", rounds.name, rounds.version),
        name => format!("{} {}: {name}", rounds.name, rounds.version),
    };
    let factor = |ratio: Spread| {
        format!(
            "{:.2} ({:.2} to {:.2})",
            ratio.median, ratio.least, ratio.most
        )
    };
    let mut ratio = summary.ratio.map_or(String::new(), factor);
    if let Some((ours, beside)) = summary.beside {
        ratio += &format!("; {ours}: {}", factor(beside));
    }
    let busy = summary.busy.map_or(String::new(), |busy| {
        let low = if busy.median < BUSY {
            ", too little"
        } else {
            ""
        };
        let others = summary.taken.filter(|taken| taken.median > TAKEN);
        let others = others.map_or(String::new(), |taken| {
            format!(", {:.0}% by others", taken.median * 100.0)
        });
        format!("{:.0}%{low}{others}", busy.median.min(1.0) * 100.0)
    });
    let (all, half) = match value.rounds {
        1 => (String::new(), String::new()),
        _ => (
            format!("{} to {}", shown(value.least), shown(value.most)),
            format!("{} to {}", shown(value.lower), shown(value.upper)),
        ),
    };
    format!(
        "| {who} | {} | {all} | {half} | {ratio} | {busy} |\n",
        shown(value.median)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        for (run, (begin, end)) in [("all", ALL), ("channels", CHANNELS), ("opening", OPENING)] {
            let page = format!("before\n{begin}old\n{end}\nafter\n");
            let after = replaced(&page, run, "new\n").unwrap();
            assert_eq!(after, format!("before\n{begin}new\n{end}\nafter\n"));
            assert!(replaced("before\n", run, "new\n").is_err());
        }
    }
}
