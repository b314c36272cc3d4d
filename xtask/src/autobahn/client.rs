//! Autobahn|Testsuite's `fuzzingserver` judges `SecureWebSocket`, and in the same run the WebSocket below it: in no case may ours be worse, or tell an
//! application anything else.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use super::{Extent, Verdict, counts, read_json, verdicts, wstest};
use crate::{
    fixture,
    shell::{Failure, Result, program_beside, run, scratch},
    tools,
};

const BELOW: &str = "WebSocket";
const OURS: &str = "SecureWebSocket";

/// What the client is asked. Of compression each run has the smallest case of every group: it takes nearly all of the time, and
/// `SecureWebSocket` compresses nothing itself.
fn cases(extent: Extent) -> (Vec<String>, usize) {
    let plain = (1..=10).map(|section| format!("{section}.*"));
    let (deflated, count): (Vec<String>, usize) = match extent {
        Extent::All => (vec!["12.*".into(), "13.*".into()], extent.count()),
        Extent::Fast => {
            let groups = (1..=5).map(|it| (12, it)).chain((1..=7).map(|it| (13, it)));
            let first = groups.map(|(section, group)| format!("{section}.{group}.1"));
            (first.collect(), 301 + 12)
        }
    };
    (plain.chain(deflated).collect(), count)
}

/// Has the client judged on the newest Node that it is for, which has a WebSocket of its own; with all cases, also in the fewer on
/// the others. What it came to, as a table.
pub(crate) fn judge(extent: Extent) -> Result<String> {
    let python = wstest()?.with_file_name("python");
    let mut table = String::from(
        "| the WebSocket below | cases | OK | informational | anything else, of both alike where not said otherwise |\n| --- | --- | --- | --- | --- |\n",
    );
    let mut nodes = tools::client_nodes()?;
    let newest = nodes.pop();
    let others = match extent {
        Extent::All => nodes,
        Extent::Fast => Vec::new(),
    };
    let asked = others.into_iter().map(|it| (it, Extent::Fast));
    for ((version, node), extent) in asked.chain(newest.map(|it| (it, extent))) {
        let row = judge_on(&node, version, &python, extent)?;
        let below = match version {
            ..22 => format!("npm `ws` on Node {version}"),
            _ => format!("Node {version}'s own"),
        };
        table.push_str(&format!("| {below} | {row} |\n"));
    }
    Ok(table)
}

fn judge_on(node: &Path, version: u32, python: &Path, extent: Extent) -> Result<String> {
    let folder = scratch(&format!("conformance-client-{version}"))?;
    fixture::make_certificate(&folder)?;
    let (cases, wanted) = cases(extent);
    let specification = json!({
        // It is told a free port instead.
        "url": "ws://127.0.0.1:1",
        "outdir": folder.join("reports"),
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    fs::write(folder.join("fuzzingserver.json"), specification.to_string())?;
    let mut client = program_beside(node, "node");
    client.arg("tests/conformance/client.mjs").arg(python);
    client.env("NODE_EXTRA_CA_CERTS", folder.join("ca.pem"));
    run(client.arg(&folder))?;
    let index = read_json(&folder.join("reports/index.json"))?;
    let ours = verdicts(&index, OURS);
    println!(
        "Autobahn|Testsuite over wss, {OURS} on Node {version}: {}",
        counts(&ours)
    );
    println!("Reports: {}", folder.join("reports").display());
    let heard = read_json(&folder.join("heard.json"))?;
    compare(&ours, &verdicts(&index, BELOW), &heard, wanted)
}

/// Holds ours to the WebSocket below it. A row of the table, from its second column.
fn compare(
    ours: &BTreeMap<String, Verdict>,
    below: &BTreeMap<String, Verdict>,
    heard: &Value,
    wanted: usize,
) -> Result<String> {
    let mut bad = Vec::new();
    for (agent, cases) in [(OURS, ours), (BELOW, below)] {
        if cases.len() != wanted {
            bad.push(format!(
                "{} cases judged {agent}, not {wanted}",
                cases.len()
            ));
        }
    }
    // Where nothing works, nothing is worse.
    let good = below.values().filter(|it| it.is_good()).count();
    if good < wanted / 10 * 9 {
        bad.push(format!("only {good} cases are good of {BELOW} itself"));
    }
    let mut others = BTreeMap::<String, Vec<&str>>::new();
    let told = |agent: &str, id: &str| heard.get(agent)?.get(id)?.as_str();
    for (id, verdict) in below {
        let Some(mine) = ours.get(id) else {
            bad.push(format!("{id} did not judge {OURS}"));
            continue;
        };
        let both = match mine == verdict {
            true => verdict.to_string(),
            false => format!("{mine}; of {BELOW}: {verdict}"),
        };
        let better = mine.is_good() && !verdict.is_good();
        if mine != verdict && !better {
            bad.push(format!("{id}: {both}"));
        }
        let (mine, its) = (told(OURS, id), told(BELOW, id));
        if mine.is_none() || mine != its {
            let words = |told: Option<&str>| told.unwrap_or("nothing").to_owned();
            bad.push(format!(
                "{id}: told `{}`; by {BELOW}: `{}`",
                words(mine),
                words(its)
            ));
        }
        if !verdict.is_good() {
            others.entry(both).or_default().push(id);
        }
    }
    if !bad.is_empty() {
        return Err(Failure::Broken(bad.join("\n")));
    }
    let count = |word: &str| ours.values().filter(|it| it.behavior == word).count();
    let others: Vec<String> = others
        .iter()
        .map(|(verdict, ids)| format!("{verdict}: {}", ids.join(", ")))
        .collect();
    Ok(format!(
        "{wanted} | {} | {} | {}",
        count("OK"),
        count("INFORMATIONAL"),
        others.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: usize = 20;

    fn all() -> BTreeMap<String, Verdict> {
        (0..WANTED)
            .map(|id| (id.to_string(), verdict("OK", "OK")))
            .collect()
    }

    fn verdict(behavior: &str, close: &str) -> Verdict {
        Verdict {
            behavior: behavior.into(),
            close: close.into(),
        }
    }

    fn heard() -> Value {
        let told: serde_json::Map<_, _> = all()
            .into_keys()
            .map(|id| (id, "open, close 1000".into()))
            .collect();
        json!({ OURS: told, BELOW: told })
    }

    /// What comes of it if the verdicts on one case are these.
    fn judged(ours: Verdict, below: Verdict) -> Result<String> {
        let (mut mine, mut its) = (all(), all());
        mine.insert("7".into(), ours);
        its.insert("7".into(), below);
        compare(&mine, &its, &heard(), WANTED)
    }

    #[test]
    fn ours_may_be_no_worse_than_the_one_below() {
        let (good, failed) = (verdict("OK", "OK"), verdict("FAILED", "OK"));
        assert_eq!(
            judged(good.clone(), good.clone()).unwrap(),
            "20 | 20 | 0 | "
        );
        assert!(judged(failed.clone(), good.clone()).is_err());
        assert!(judged(verdict("NON-STRICT", "OK"), good.clone()).is_err());
        assert!(judged(verdict("OK", "WRONG CODE"), good.clone()).is_err());
        assert!(judged(verdict("OK", "UNCLEAN"), failed.clone()).is_err());
        assert_eq!(
            judged(failed.clone(), failed.clone()).unwrap(),
            "20 | 19 | 0 | FAILED, closing OK: 7"
        );
        assert!(judged(good, failed).unwrap().contains("of WebSocket"));
    }

    #[test]
    fn every_case_has_to_have_judged_both() {
        let mut fewer = all();
        fewer.remove("7");
        for (ours, below) in [(&fewer, &all()), (&all(), &fewer), (&fewer, &fewer)] {
            assert!(compare(ours, below, &heard(), WANTED).is_err());
        }
        assert!(compare(&all(), &all(), &heard(), WANTED + 1).is_err());
        assert!(compare(&all(), &all(), &json!({}), WANTED).is_err());
        assert_eq!(cases(Extent::Fast).1, 313);
        assert_eq!(cases(Extent::All).1, 517);
    }

    #[test]
    fn an_application_has_to_be_told_the_same() {
        let mut other = heard();
        other[OURS]["7"] = "open, close 1001".into();
        assert!(compare(&all(), &all(), &other, WANTED).is_err());
    }

    #[test]
    fn where_nothing_works_nothing_was_shown() {
        let failed: BTreeMap<_, _> = all()
            .into_keys()
            .map(|id| (id, verdict("FAILED", "FAILED")))
            .collect();
        assert!(compare(&failed, &failed, &heard(), WANTED).is_err());
    }
}
