//! Whatever somebody does to a log, in any order, who has the public key and one noted line finds it.

use proptest::prelude::*;

use super::{
    tampering::{Evidence, chain_anew, event},
    *,
};
use crate::audit::chain::{Link, TORN};

/// A way to lay hands on a log.
#[derive(Clone, Debug)]
enum Tampering {
    Edit {
        at: prop::sample::Index,
        byte: u8,
    },
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    RemoveSegment(prop::sample::Index),
    SwapSegments(prop::sample::Index, prop::sample::Index),
    /// Bytes off the end of the newest segment.
    Truncate(prop::sample::Index),
    /// Everything from a line on, in whatever segment, as if an older copy were put back.
    Older(prop::sample::Index),
    /// With a chain that fits.
    Forge(prop::sample::Index),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Tampering::Edit { at, byte }),
        index().prop_map(Tampering::Remove),
        (index(), index()).prop_map(|(a, b)| Tampering::Swap(a, b)),
        index().prop_map(Tampering::RemoveSegment),
        (index(), index()).prop_map(|(a, b)| Tampering::SwapSegments(a, b)),
        index().prop_map(Tampering::Truncate),
        index().prop_map(Tampering::Older),
        index().prop_map(Tampering::Forge),
    ]
}

/// Lays hands on the log. Returns whether that changed anything.
fn tamper(evidence: &Evidence, tampering: &Tampering) -> bool {
    let files = evidence.files();
    let mut lines = evidence.lines();
    let before = lines.clone();
    match tampering {
        Tampering::Edit { at, byte } => {
            let sizes: Vec<usize> = files
                .iter()
                .map(|it| std::fs::read(it).unwrap().len())
                .collect();
            let mut at = at.index(sizes.iter().sum());
            let file = (0..).find(|&n| {
                let is_here = at < sizes[n];
                at -= if is_here { 0 } else { sizes[n] };
                is_here
            });
            let file = &files[file.unwrap()];
            let mut bytes = std::fs::read(file).unwrap();
            let changes = bytes[at] != *byte;
            bytes[at] = *byte;
            std::fs::write(file, bytes).unwrap();
            return changes;
        }
        Tampering::Remove(at) => drop(lines.remove(at.index(lines.len()))),
        Tampering::Swap(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            let (first, second) = (lines[a].1.clone(), lines[b].1.clone());
            lines[a].1 = second;
            lines[b].1 = first;
        }
        Tampering::RemoveSegment(at) => {
            std::fs::remove_file(&files[at.index(files.len())]).unwrap();
            return true;
        }
        Tampering::SwapSegments(a, b) => {
            let (a, b) = (&files[a.index(files.len())], &files[b.index(files.len())]);
            let (first, second) = (std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
            std::fs::write(a, second).unwrap();
            std::fs::write(b, first).unwrap();
            return a != b;
        }
        Tampering::Truncate(at) => {
            let bytes = std::fs::read(&evidence.path).unwrap();
            std::fs::write(&evidence.path, &bytes[..at.index(bytes.len())]).unwrap();
            return true;
        }
        Tampering::Older(at) => {
            let at = at.index(lines.len());
            let (newest, _) = lines[at].clone();
            lines.truncate(at + 1);
            let kept: Vec<_> = files.iter().take_while(|it| **it != newest).collect();
            for gone in files.iter().filter(|it| !kept.contains(it)) {
                std::fs::remove_file(gone).unwrap();
            }
            // What an older copy had under way.
            let own = lines.iter().filter(|(of, _)| *of == newest);
            let text: String = own.map(|(_, line)| line.as_str()).collect();
            std::fs::write(&evidence.path, text).unwrap();
            return at + 1 < before.len();
        }
        Tampering::Forge(at) => {
            let at = at.index(lines.len());
            lines[at].1 = lines[at].1.replacen("\"time\":\"2", "\"time\":\"3", 1);
            chain_anew(&mut lines, at);
        }
    }
    evidence.put(&lines);
    lines != before
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_is_done_to_a_log_is_found(
        runs in prop::collection::vec(1_usize..12, 1..4),
        crashes in any::<bool>(),
        tampering in prop::collection::vec(tampering(), 6),
    ) {
        let evidence = Evidence::of("property", &runs);
        if crashes {
            // What a crash leaves is part of the evidence.
            let text = std::fs::read_to_string(&evidence.path).unwrap();
            std::fs::write(&evidence.path, format!("{text}{{\"seq\":")).unwrap();
            evidence.open().close(LONG);
            prop_assert!(evidence.lines().iter().any(|(_, it)| event(it)["event"] == TORN));
        }
        let good: Vec<(PathBuf, Vec<u8>)> = evidence.files().into_iter()
            .map(|file| { let bytes = std::fs::read(&file).unwrap(); (file, bytes) })
            .collect();
        let last = Link::of(evidence.lines().pop().unwrap().1.as_bytes()).unwrap();
        let demands = || Demands {
            heads: vec![format!("{}:{}", last.seq, last.hash.as_str()).parse().unwrap()],
            ..evidence.demands()
        };
        prop_assert!(matches!(judged(&evidence.path, &demands()), Verdict::Whole(_)));
        for tampering in tampering {
            if tamper(&evidence, &tampering) {
                let found = Files::find(std::slice::from_ref(&evidence.path))
                    .and_then(|files| verify(&files, &demands()));
                prop_assert!(!matches!(found, Ok(Verdict::Whole(_))), "{tampering:?}");
            }
            for (file, bytes) in &good {
                std::fs::write(file, bytes).unwrap();
            }
        }
    }
}
