//! What somebody who can write the log does to it, with and without a key, and that it is found.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::audit::chain::{Chain, Hash, Link, UNSEALED};

/// A log of several segments, and the key that signs it, outside.
pub(super) struct Evidence {
    pub(super) path: PathBuf,
    public: PathBuf,
}

impl Evidence {
    /// Each number is a run of a server that records so many events.
    pub(super) fn of(name: &str, runs: &[usize]) -> Self {
        let path = folder(name);
        let key = path.parent().unwrap().with_extension("key");
        let public = key.with_extension("key.pub");
        for old in [&key, &public] {
            let _ = std::fs::remove_file(old);
        }
        SigningKey::make(&key).unwrap();
        let evidence = Self { path, public };
        for (at, count) in runs.iter().enumerate() {
            let audit = evidence.open();
            for n in 0..*count {
                let mut event = Event::new("close");
                event.trail.subject = Some(format!("user-{at}-{n}").into());
                audit.record(event);
            }
            audit.close(LONG);
        }
        evidence
    }

    pub(super) fn open(&self) -> Audit {
        let key = self.public.with_extension("");
        opened(Settings {
            keep: Keep {
                size: Some(2500),
                ..Keep::default()
            },
            key: Some(SigningKey::read(&key).unwrap()),
            ..Settings::of(self.path.clone())
        })
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let place = segment::Place::of(&self.path).unwrap();
        let closed = place.segments().unwrap().into_iter().map(|(_, it)| it);
        closed.chain([self.path.clone()]).collect()
    }

    /// Every line of every file, with its end.
    pub(super) fn lines(&self) -> Vec<(PathBuf, String)> {
        let mut lines = Vec::new();
        for file in self.files() {
            let text = std::fs::read_to_string(&file).unwrap();
            let own = text.split_inclusive('\n');
            lines.extend(own.map(|line| (file.clone(), line.to_owned())));
        }
        lines
    }

    /// Puts lines back where they say they come from.
    pub(super) fn put(&self, lines: &[(PathBuf, String)]) {
        let files: BTreeSet<_> = self.files().into_iter().collect();
        for file in files {
            let own = lines.iter().filter(|(of, _)| *of == file);
            let text: String = own.map(|(_, line)| line.as_str()).collect();
            std::fs::write(&file, text).unwrap();
        }
    }

    pub(super) fn demands(&self) -> Demands {
        Demands {
            keys: vec![PublicKey::read(&self.public).unwrap()],
            ..Demands::default()
        }
    }

    fn judged(&self) -> Verdict {
        judged(&self.path, &self.demands())
    }

    /// The line that does not hold, by its place in the whole log, and why.
    fn fault(&self) -> (usize, Fault) {
        let Verdict::Broken(fault) = self.judged() else {
            panic!("{:?}", self.judged())
        };
        let lines = self.lines();
        let begin = lines.iter().position(|(file, _)| *file == fault.file);
        let line = usize::try_from(fault.line).unwrap();
        (begin.unwrap() + line - 1, fault)
    }
}

/// A line that is no head. Where those stand among the events, is a question of time.
fn an_event(lines: &[(PathBuf, String)]) -> (PathBuf, String) {
    let mut events = lines.iter().filter(|(_, line)| line.contains("user-"));
    events.next().unwrap().clone()
}

/// Chains lines anew from `at`, as whoever has no key can: signatures stay what they were.
pub(super) fn chain_anew(lines: &mut [(PathBuf, String)], at: usize) {
    let mut before = lines[..at].iter().rev();
    let before = before.find_map(|(_, line)| Link::of(line.as_bytes()).ok());
    let mut chain = before.map_or_else(Chain::start, |link| Chain::behind(&link));
    for (_, line) in &mut lines[at..] {
        if Link::of(line.as_bytes()).is_err() && !line.contains("\"prev\"") {
            continue;
        }
        let (body, _) = line.rsplit_once(",\"hash\":\"").unwrap();
        let (front, rest) = body.split_once(",\"prev\":\"").unwrap();
        let (_, signature) = rest.split_once('"').unwrap();
        let (_, members) = front.split_once(',').unwrap();
        let text = format!(
            "{{\"seq\":{},{members},\"prev\":\"{}\"{signature}}}",
            chain.next,
            chain.prev.as_str()
        );
        let hash = Hash::of(&[text.as_bytes()]);
        *line = format!(
            "{},\"hash\":\"{}\"}}\n",
            &text[..text.len() - 1],
            hash.as_str()
        );
        chain.next += 1;
        chain.prev = hash;
    }
}

pub(super) fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

#[test]
fn a_healthy_log_is_signed_up_to_its_last_line() {
    let evidence = Evidence::of("healthy", &[30, 5]);
    let Verdict::Whole(summary) = evidence.judged() else {
        panic!("{:?}", evidence.judged())
    };
    assert!(summary.files > 3 && summary.is_stopped);
    assert_eq!(summary.signed.map(|seq| seq + 1), Some(summary.lines));
    assert_eq!((summary.unsigned, summary.unsealed.len()), (0, 0));
}

#[test]
fn a_chain_that_was_made_anew_is_found_at_the_next_head() {
    let evidence = Evidence::of("anew", &[30]);
    let good = evidence.lines();
    let victim = good
        .iter()
        .position(|(_, it)| it.contains("user-0-3\""))
        .unwrap();
    let head = (victim..)
        .find(|&at| event(&good[at].1)["event"] == "head")
        .unwrap();
    let mut lines = good.clone();
    lines[victim].1 = lines[victim].1.replace("user-0-3", "nobody");
    chain_anew(&mut lines, victim);
    evidence.put(&lines);
    whole(&evidence.path);
    let (at, fault) = evidence.fault();
    assert_eq!((at, fault.seq), (head, head as u64));
    assert!(fault.why.contains("forged"), "{}", fault.why);
}

#[test]
fn a_torn_event_hides_no_line_from_who_has_the_public_key() {
    let evidence = Evidence::of("torn-forged", &[30]);
    let good = evidence.lines();
    let victim = good
        .iter()
        .position(|(_, it)| it.contains("user-0-3\""))
        .unwrap();
    let mut lines = good.clone();
    lines[victim].1 = "{\"seq\":3,\"ti\n".into();
    let digest = Hash::of(&[lines[victim].1.as_bytes()]);
    let torn = format!(
        "{{\"seq\":3,\"time\":\"2026-01-01T00:00:00.000Z\",\"event\":\"torn\",\"detail\":\"{}\",\"prev\":\"\",\"hash\":\"\"}}\n",
        digest.as_str()
    );
    lines.insert(victim + 1, (lines[victim].0.clone(), torn));
    // Only what stands before the garbage can be joined on.
    let garbage = lines.remove(victim);
    chain_anew(&mut lines, victim);
    lines.insert(victim, garbage);
    evidence.put(&lines);
    assert_eq!(whole(&evidence.path).1, 1, "the chain alone is taken in");
    let (_, fault) = evidence.fault();
    assert!(fault.why.contains("forged"), "{}", fault.why);
}

#[test]
fn heads_without_a_signature_or_by_another_key_do_not_count() {
    let evidence = Evidence::of("other-key", &[30]);
    let other = Evidence::of("other-keys-owner", &[3]);
    let stranger = Demands {
        keys: other.demands().keys,
        ..Demands::default()
    };
    let Verdict::Broken(fault) = judged(&evidence.path, &stranger) else {
        panic!()
    };
    assert!(fault.why.contains("another key"), "{}", fault.why);
    let both = Demands {
        keys: [other.demands().keys, evidence.demands().keys]
            .into_iter()
            .flatten()
            .collect(),
        ..Demands::default()
    };
    assert!(matches!(judged(&evidence.path, &both), Verdict::Whole(_)));
    // All signatures taken off.
    let mut lines = evidence.lines();
    for (_, line) in &mut lines {
        if let Some((front, rest)) = line.clone().split_once(",\"signature\":\"") {
            let (_, rest) = rest.split_once('"').unwrap();
            *line = format!("{front}{rest}");
        }
    }
    chain_anew(&mut lines, 0);
    evidence.put(&lines);
    whole(&evidence.path);
    let (_, fault) = evidence.fault();
    assert!(fault.why.contains("no head is signed"), "{}", fault.why);
}

#[test]
fn nothing_stands_in_a_head_that_its_signature_is_not_of() {
    let evidence = Evidence::of("behind-signature", &[3]);
    let mut lines = evidence.lines();
    let at = lines.len() - 1;
    let signature = event(&lines[at].1)["signature"]
        .as_str()
        .unwrap()
        .to_owned();
    let more = format!("{signature}\",\"detail\":\"all was quiet");
    lines[at].1 = lines[at].1.replace(&signature, &more);
    chain_anew(&mut lines, at);
    evidence.put(&lines);
    let (found, fault) = evidence.fault();
    assert_eq!(found, at);
    assert!(
        fault.why.contains("signature is not where"),
        "{}",
        fault.why
    );
}

#[test]
fn an_end_that_was_cut_off_is_found_by_a_line_that_was_noted() {
    // In one file, as one that is left empty is missed by itself, and behind a stop and a signed head.
    let evidence = Evidence::of("cut", &[1, 2]);
    let good = evidence.lines();
    let last = Link::of(good[good.len() - 1].1.as_bytes()).unwrap();
    let noted: Noted = format!("{}:{}", last.seq, last.hash.as_str())
        .parse()
        .unwrap();
    let head = |demands: Demands| Demands {
        heads: vec![noted.clone()],
        ..demands
    };
    assert!(matches!(
        judged(&evidence.path, &head(evidence.demands())),
        Verdict::Whole(_)
    ));
    for cut in 1..3 {
        evidence.put(&good[..good.len() - cut]);
        let Verdict::Broken(fault) = judged(&evidence.path, &head(Demands::default())) else {
            panic!()
        };
        assert!(fault.why.contains("cut off"), "{}", fault.why);
        let stopped = Demands {
            stopped: true,
            ..evidence.demands()
        };
        let verdict = judged(&evidence.path, &stopped);
        assert!(matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
        let Verdict::Whole(summary) = evidence.judged() else {
            panic!()
        };
        assert!(!summary.is_stopped, "it says that it cannot know");
    }
    let mut lines = good.clone();
    let at = good.len() - 1;
    lines[at].1 = lines[at].1.replace("stop", "StOp");
    chain_anew(&mut lines, at);
    evidence.put(&lines);
    let Verdict::Broken(fault) = judged(&evidence.path, &head(Demands::default())) else {
        panic!()
    };
    assert!(fault.why.contains("noted elsewhere"), "{}", fault.why);
}

#[test]
fn lines_written_while_no_server_ran_are_told_from_its_own() {
    let evidence = Evidence::of("while-down", &[3]);
    let mut lines = evidence.lines();
    let mut forged = an_event(&lines);
    forged.1 = forged.1.replace("user-0-", "forged-");
    lines.push(forged);
    let at = lines.len() - 1;
    chain_anew(&mut lines, at);
    evidence.put(&lines);
    let audit = evidence.open();
    audit.close(LONG);
    let Verdict::Whole(summary) = evidence.judged() else {
        panic!("{:?}", evidence.judged())
    };
    assert_eq!(summary.unsealed, [(at as u64 + 1, 1)]);
    let told = &evidence.lines()[at + 1].1;
    assert_eq!(event(told)["event"], UNSEALED);
}

#[test]
fn a_deletion_that_nobody_signed_excuses_no_missing_segment() {
    let evidence = Evidence::of("forged-deletion", &[30]);
    let mut lines = evidence.lines();
    let files = evidence.files();
    let begins = lines
        .iter()
        .position(|(file, _)| *file == files[1])
        .unwrap();
    let forged = format!(
        "{{\"seq\":0,\"time\":\"2026-01-01T00:00:00.000Z\",\"event\":\"deletion\",\"begins\":{begins},\"prev\":\"\",\"hash\":\"\"}}\n"
    );
    lines.push((evidence.path.clone(), forged));
    let at = lines.len() - 1;
    chain_anew(&mut lines, at);
    evidence.put(&lines);
    std::fs::remove_file(&files[0]).unwrap();
    whole(&evidence.path);
    let (_, fault) = evidence.fault();
    assert!(fault.why.contains("no signed line"), "{}", fault.why);
    // Nor once the next server has signed what it found.
    evidence.open().close(LONG);
    let (_, fault) = evidence.fault();
    assert!(fault.why.contains("no signed line"), "{}", fault.why);
}

#[test]
fn no_more_lines_than_a_server_leaves_unsigned_can_be_put_at_the_end() {
    let evidence = Evidence::of("long-tail", &[3]);
    let mut lines = evidence.lines();
    let at = lines.len();
    let one = an_event(&lines);
    lines.extend(std::iter::repeat_n(one, 10_001));
    chain_anew(&mut lines, at);
    evidence.put(&lines);
    let (_, fault) = evidence.fault();
    assert!(
        fault.why.contains("behind the last signed head"),
        "{}",
        fault.why
    );
}

#[test]
fn a_head_is_signed_after_so_many_lines() {
    let evidence = Evidence::of("interval", &[]);
    let audit = Audit::open(Settings {
        key: Some(SigningKey::read(&evidence.public.with_extension("")).unwrap()),
        ..Settings::of(evidence.path.clone())
    })
    .unwrap();
    for _ in 0..25_000 {
        let event = Event::new("close");
        while !audit.is_healthy() {
            thread::sleep(CROWDED);
        }
        audit.record(event);
    }
    audit.flush(LONG);
    let lines = evidence.lines();
    let heads: Vec<usize> = (0..lines.len())
        .filter(|&at| lines[at].1.contains("\"event\":\"head\""))
        .collect();
    assert!(heads.len() >= 3, "{heads:?}");
    let gaps = heads.windows(2).all(|pair| pair[1] - pair[0] <= 10_001);
    assert!(gaps, "{heads:?}");
    assert!(matches!(evidence.judged(), Verdict::Whole(_)));
}
