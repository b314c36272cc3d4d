//! What is shown of results: a table for the terminal, JSON for machines, plots and a section of docs/benchmarks.md.

mod docs;
mod json;
mod machine;
mod plot;
pub(crate) mod table;
mod targets;

use std::path::Path;

use crate::{Failure, arguments::Plan, rounds::Results};

pub(crate) use machine::Machine;

/// Writes `NAME.json`.
pub(crate) fn write_json(
    plan: &Plan,
    machine: &Machine,
    results: &[Results],
    folder: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("{}.json", plan.name));
    let text = serde_json::to_string_pretty(&json::of(plan, machine, results))?;
    std::fs::write(&file, text + "\n")?;
    Ok(())
}

/// Writes the plots and the section of results.
pub(crate) fn write_docs(
    plan: &Plan,
    machine: &Machine,
    results: &[Results],
    folder: &Path,
) -> Result<(), Failure> {
    let plots = folder.join("benchmarks");
    std::fs::create_dir_all(&plots)?;
    for (name, plot) in plot::all(results) {
        std::fs::write(plots.join(format!("{name}.svg")), plot)?;
    }
    let file = folder.join("benchmarks.md");
    let before = std::fs::read_to_string(&file)?;
    let after = docs::replaced(&before, &plan.name, &docs::section(plan, machine, results))?;
    std::fs::write(&file, after)?;
    println!("{}", file.display());
    Ok(())
}
