//! What the documents on security lean on, so that none of it can go unnoticed: tests and places that there are, and every
//! requirement with an answer.

use std::{collections::HashSet, fs, path::Path};

const THREATS: &str = include_str!("../../../../docs/security/threat-model.md");
const BOUNDS: &str = include_str!("../../../../docs/security/bounds.md");
const ASVS: &str = include_str!("../../../../docs/security/asvs.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The sections of ASVS 5.0.0 that are answered, each with the number of its requirements.
const SECTIONS: [(&str, usize); 21] = [
    ("4.4", 4),
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 3),
    ("7.6", 2),
    ("8.1", 4),
    ("8.2", 4),
    ("8.3", 3),
    ("8.4", 2),
    ("9.1", 3),
    ("9.2", 4),
    ("12.1", 5),
    ("12.2", 2),
    ("12.3", 5),
    ("16.1", 1),
    ("16.2", 5),
    ("16.3", 4),
    ("16.4", 3),
    ("16.5", 4),
];
const ANSWERS: [&str; 4] = ["Met", "Partly", "Not yet", "Not applicable"];

#[test]
fn every_test_that_the_documents_on_security_name_exists() {
    let there = tests();
    for (document, text) in [
        ("threat-model.md", THREATS),
        ("bounds.md", BOUNDS),
        ("asvs.md", ASVS),
    ] {
        let rows = rows(text);
        assert!(rows.len() > 20, "{document} has lost its tables");
        for row in rows {
            let shown = row[row.len() - 1];
            let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
            for name in &named {
                assert!(
                    there.contains(*name),
                    "{document}: no test is called {name}"
                );
            }
            let is_said = !named.is_empty() || shown.contains("](") || shown == "none";
            let is_heading = row[1..].iter().all(|cell| cell.is_empty());
            assert!(
                is_said || is_heading,
                "{document}: nothing shows {:?}, which has to say `none`",
                row[0]
            );
        }
    }
}

#[test]
fn every_requirement_of_asvs_is_answered_and_what_is_met_is_shown() {
    let wanted: Vec<String> = SECTIONS
        .iter()
        .flat_map(|(section, count)| (1..=*count).map(move |n| format!("{section}.{n}")))
        .collect();
    let rows = rows(ASVS);
    let answered: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(answered, wanted);
    let mut sums = String::from(
        "| chapter | Met | Partly | Not yet | Not applicable |\n| --- | --- | --- | --- | --- |\n",
    );
    let mut all = [0; 4];
    for chapter in ["4.4", "7", "8", "9", "12", "16"] {
        let mut of_chapter = [0; 4];
        for row in &rows {
            if row[0].starts_with(&format!("{chapter}.")) {
                of_chapter[answer(row)] += 1;
            }
        }
        for (all, of_chapter) in all.iter_mut().zip(of_chapter) {
            *all += of_chapter;
        }
        sums += &line(&format!("V{chapter}"), of_chapter);
    }
    sums += &line("all", all);
    assert!(
        ASVS.contains(&sums),
        "the sums in asvs.md have to be\n{sums}"
    );
}

/// Which answer a requirement has.
fn answer(row: &[&str]) -> usize {
    let is = |answer: &&str| row[3].starts_with(&format!("**{answer}.**"));
    let found = ANSWERS.iter().position(is);
    let found = found.unwrap_or_else(|| panic!("{} is not answered by one of {ANSWERS:?}", row[0]));
    assert!(["1", "2", "3"].contains(&row[1]), "{} has no level", row[0]);
    assert!(
        ANSWERS[found] != "Met" || row[4] != "none",
        "{} is met by nothing",
        row[0]
    );
    found
}

fn line(name: &str, [met, partly, not_yet, not_applicable]: [usize; 4]) -> String {
    format!("| {name} | {met} | {partly} | {not_yet} | {not_applicable} |\n")
}

#[test]
fn every_place_that_the_documents_on_security_name_exists() {
    let folder = Path::new(ROOT).join("docs/security");
    for text in [THREATS, BOUNDS, ASVS] {
        for link in text.split("](").skip(1) {
            let (link, _) = link.split_once(')').unwrap();
            if link.starts_with("https:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let said = fs::read_to_string(folder.join(file));
            let said = said.unwrap_or_else(|error| panic!("{link}: {error}"));
            let headings = said.lines().filter(|line| line.starts_with('#'));
            let is_there = heading.is_empty() || headings.map(slug).any(|slug| slug == heading);
            assert!(is_there, "{link}: no heading is called so");
        }
    }
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

/// The rows of all tables that say by what something is shown.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let mut rows = Vec::new();
    let mut width = None;
    for line in text.lines() {
        let Some(cells) = line.strip_prefix("| ").and_then(|it| it.strip_suffix(" |")) else {
            width = None;
            continue;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        match width {
            Some(width) => {
                assert_eq!(cells.len(), width, "a row of another width: {line}");
                if cells[0] != "---" {
                    rows.push(cells);
                }
            }
            None if cells[cells.len() - 1] == "shown by" => width = Some(cells.len()),
            None => {}
        }
    }
    rows
}

/// The names of all Rust tests in the sources that are run.
fn tests() -> HashSet<String> {
    let mut found = HashSet::new();
    for folder in ["crates", "tests", "xtask"] {
        collect(&Path::new(ROOT).join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            named_in(&fs::read_to_string(&path).unwrap(), found);
        }
    }
}

/// Of a source, the functions under `#[test]` or its like that nothing has ignored.
fn named_in(source: &str, found: &mut HashSet<String>) {
    let (mut is_test, mut is_ignored) = (false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            is_ignored |= line.starts_with("#[ignore");
            continue;
        }
        let called = line.strip_prefix("async ").unwrap_or(line);
        let called = called
            .strip_prefix("fn ")
            .and_then(|it| it.split('(').next());
        if let (Some(name), true, false) = (called, is_test, is_ignored) {
            found.insert(name.to_owned());
        }
        // A comment may stand between an attribute and its function.
        if !line.starts_with("//") {
            (is_test, is_ignored) = (false, false);
        }
    }
}
