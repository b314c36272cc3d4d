//! `cargo xtask bench instructions`: how many instructions the server spends on one message, without a kernel.
//!
//! Unlike time, a count is the same on a busy machine, so a change of a percent can be seen. It is a report: what is
//! compared with was counted by whoever changed `benches/instructions/counts.json` last.

use std::{collections::BTreeMap, fs, path::PathBuf};

use crate::{
    shell::{Failure, Result, cargo, output, program, root, run, target},
    tools,
};

const WORKS: [&str; 5] = [
    "echo-64",
    "echo-64-16-in-flight",
    "echo-1024",
    "echo-65536",
    "publication",
];
/// What both runs of a work do alike is not counted: the difference between them is.
const TIMES: (u64, u64) = (50, 150);

type Counts = BTreeMap<String, u64>;

/// Counts, and compares with the last counts or, with `--record`, writes them.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let record = match arguments {
        [] => false,
        [only] if only == "--record" => true,
        _ => {
            return Err(Failure::Broken(
                "usage: cargo xtask bench instructions [--record]".into(),
            ));
        }
    };
    tools::system("valgrind", &["valgrind"])?;
    run(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "wardwire-instructions",
    ]))?;
    let file = root().join("benches/instructions/counts.json");
    let last: Counts = fs::read_to_string(&file)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut counts = Counts::new();
    println!("instructions of the server    last      now");
    for work in WORKS {
        let count = (count(work, TIMES.1)? - count(work, TIMES.0)?) / (TIMES.1 - TIMES.0);
        let was = last.get(work).copied().unwrap_or(count);
        let percent = (count as f64 / was as f64 - 1.0) * 100.0;
        println!("{work:24} {was:>10} {count:>8}  {percent:+.1} %");
        counts.insert(work.into(), count);
    }
    if record {
        let text = serde_json::to_string_pretty(&counts).map_err(|error| error.to_string());
        let text = text.map_err(Failure::Broken)? + "\n";
        fs::write(&file, text).map_err(|error| Failure::Broken(error.to_string()))?;
    }
    Ok(())
}

/// The instructions of all turns together.
fn count(work: &str, times: u64) -> Result<u64> {
    let binary: PathBuf = target().join("release/wardwire-instructions");
    let said = output(
        program("valgrind")
            .args([
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                "--log-fd=1",
            ])
            .arg("--toggle-collect=*Simulation*turn*")
            .arg(binary)
            .args([work, &times.to_string()]),
    )?;
    let line = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let count = line.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| Failure::Broken(format!("callgrind counted nothing:\n{said}")))
}
