//! What the fuzzer found worth keeping, in `fuzz/corpus`, and what it began with: every property holds of all of it.
#![allow(
    clippy::unwrap_used,
    reason = "a corpus that cannot be read is a failure"
)]

use std::{fs, path::Path};

use wardwire_properties::{LONGEST, TARGETS};

fn replay(name: &str) {
    let (_, check) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let (mut taken, mut refused) = (0, 0);
    for entry in fs::read_dir(corpus.join(name)).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(input.len() <= LONGEST, "{}", path.display());
        // The test's output names the input at which it ends.
        println!("{}", path.display());
        match check(&input) {
            true => taken += 1,
            false => refused += 1,
        }
    }
    // A corpus of which nothing is taken, or everything, asks only half of the questions.
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

#[test]
fn frames_are_read_as_tungstenite_reads_them_however_they_are_cut() {
    replay("frames");
}

#[test]
fn deflated_messages_are_inflated_as_miniz_does_however_they_are_cut() {
    replay("deflate");
}

#[test]
fn offers_that_are_taken_keep_every_rule() {
    replay("negotiation");
}

#[test]
fn heads_that_are_passed_are_read_alike_by_hyper() {
    replay("request_head");
}

#[test]
fn requests_of_http_2_that_are_passed_would_be_over_http_1() {
    replay("http2");
}

#[test]
fn tokens_that_are_accepted_were_signed_by_the_issuer() {
    replay("token");
}

#[test]
fn a_credential_that_is_found_stands_there_once() {
    replay("credential");
}

#[test]
fn calls_are_read_as_a_plain_reader_reads_them() {
    replay("rpc");
}

#[test]
fn any_text_is_a_safe_configuration_or_problems_with_remedies() {
    replay("config");
}
