//! Where records and segments are cut says nothing: the same bytes are the same messages.

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::serves_others;
use crate::harness::{CLOSE_NOTIFY, DATA, Frame, Opening, Server, Wire, frame};

/// All that an echo is asked, one frame each: text, binary, a ping between fragments, a close.
fn frames() -> Vec<Vec<u8>> {
    vec![
        frame(0x81, "é".as_bytes()),
        frame(0x82, b"\x00\xff"),
        frame(0x01, b"\xe2\x82"),
        frame(0x89, b"?"),
        frame(0x00, b""),
        frame(0x80, b"\xac."),
        frame(0x82, &[7; 130]),
        frame(0x88, b"\x03\xe8bye"),
    ]
}

/// What it answers.
fn answers() -> Vec<Frame> {
    let frames: [(u8, &[u8]); 6] = [
        (0x81, "é".as_bytes()),
        (0x82, b"\x00\xff"),
        (0x8A, b"?"),
        (0x81, "€.".as_bytes()),
        (0x82, &[7; 130]),
        (0x88, b"\x03\xe8bye"),
    ];
    let frames = frames.into_iter();
    frames
        .map(|(first, payload)| Frame {
            first,
            payload: payload.to_vec(),
        })
        .collect()
}

/// Demands all answers, and a clean end.
fn answered(mut wire: Wire) {
    for answer in answers() {
        assert_eq!(wire.ws.frame().as_ref(), Some(&answer));
    }
    wire.ends_with(CLOSE_NOTIFY);
}

/// The frames in records of their own.
fn sealed(wire: &mut Wire) -> Vec<u8> {
    let records = frames().into_iter().map(|frame| wire.data(&frame));
    records.collect::<Vec<_>>().concat()
}

#[test]
fn transport_a_cut_at_any_byte_of_the_records_changes_nothing() {
    let server = Server::start();
    let length = sealed(&mut Opening::echo().on(&server)).len();
    for at in 1..length {
        let mut wire = Opening::echo().on(&server);
        let bytes = sealed(&mut wire);
        wire.put_alone(&bytes[..at]);
        wire.put(&bytes[at..]);
        answered(wire);
    }
    serves_others(&server);
}

#[test]
fn transport_single_bytes_are_as_good_as_whole_segments() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    for byte in sealed(&mut wire) {
        wire.put_alone(&[byte]);
    }
    answered(wire);
    server.closed(1000, "bye");
    serves_others(&server);
}

#[test]
fn transport_all_records_in_one_segment_are_all_read() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    let bytes = sealed(&mut wire);
    wire.put(&bytes);
    answered(wire);
    // And all frames in one record.
    let mut wire = Opening::echo().on(&server);
    let bytes = wire.data(&frames().concat());
    wire.put(&bytes);
    answered(wire);
    serves_others(&server);
}

#[test]
fn transport_a_record_for_each_byte_carries_the_same_frames() {
    let server = Server::start();
    for together in [true, false] {
        let mut wire = Opening::echo().on(&server);
        let records: Vec<_> = frames()
            .concat()
            .into_iter()
            .map(|byte| wire.seal(DATA, &[byte]))
            .collect();
        if together {
            wire.put(&records.concat());
        } else {
            records.iter().for_each(|record| wire.put_alone(record));
        }
        answered(wire);
    }
    serves_others(&server);
}

#[test]
fn transport_any_cutting_of_the_same_bytes_gives_the_same_messages() {
    let server = Server::start();
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[6; 32]);
    // Many are small, some are large.
    let size = || prop_oneof![1..9_usize, 1..200_usize];
    let cuts = (vec(size(), 1..60), vec(size(), 1..60));
    TestRunner::new_with_rng(config, seed)
        .run(&cuts, |(records, segments)| {
            let mut wire = Opening::echo().on(&server);
            let plain = frames().concat();
            let sealed = cut(&plain, &records).map(|piece| wire.seal(DATA, piece));
            let bytes = sealed.collect::<Vec<_>>().concat();
            for segment in cut(&bytes, &segments) {
                wire.put_alone(segment);
            }
            answered(wire);
            Ok(())
        })
        .unwrap();
    serves_others(&server);
}

/// Pieces of these sizes, over and over, until nothing is left.
fn cut<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = sizes.next()?;
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
