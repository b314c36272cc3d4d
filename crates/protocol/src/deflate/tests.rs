use std::sync::Barrier;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use proptest::prelude::*;

use super::{inflater::CLEARED, *};
use crate::message::Prepared;

const LIMIT: usize = 65_536;

/// Bytes as a deflater that is not ours sends them.
fn deflated(payload: &[u8], level: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(longest(payload.len()) + 100);
    Compress::new(Compression::new(level), false)
        .compress_vec(payload, &mut out, FlushCompress::Sync)
        .unwrap();
    out.strip_suffix(&[0, 0, 0xFF, 0xFF]).unwrap().to_vec()
}

/// Bytes without repetition.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

fn whole(inflater: &mut Inflater, payload: &[u8], limit: usize) -> Result<Vec<u8>, Broken> {
    inflater.whole(payload, limit)?;
    Ok(inflater.inflated().to_vec())
}

/// The same in pieces of this size.
fn pieces(payload: &[u8], size: usize, limit: usize) -> Result<Vec<u8>, Broken> {
    let (mut inflater, mut out) = (Inflater::default(), Vec::new());
    let mut stream = inflater.begin();
    for piece in payload.chunks(size) {
        let pushed = stream.push(piece, &mut out, limit);
        assert!(out.capacity() <= limit + 1, "{}", out.capacity());
        pushed?;
    }
    stream.finish(&mut out, limit)?;
    Ok(out)
}

#[test]
fn a_message_of_the_limit_gets_in_however_it_was_deflated_and_not_a_byte_more() {
    for payload in [vec![b'a'; LIMIT + 1], noise(LIMIT + 1)] {
        for level in 0..=9 {
            let fits = deflated(&payload[1..], level);
            assert!(fits.len() <= longest(LIMIT), "{level}");
            assert!(whole(&mut Inflater::default(), &fits, LIMIT).as_deref() == Ok(&payload[1..]));
            assert!(pieces(&fits, 10_000, LIMIT).as_deref() == Ok(&payload[1..]));
            let over = deflated(&payload, level);
            let mut inflater = Inflater::default();
            assert_eq!(inflater.whole(&over, LIMIT), Err(Broken::Size));
            assert!(inflater.inflated.capacity() <= LIMIT + 1);
            assert!(pieces(&over, 10_000, LIMIT) == Err(Broken::Size));
        }
    }
}

#[test]
fn what_is_no_deflated_message_is_refused_and_the_next_one_read() {
    let mut inflater = Inflater::default();
    let hello = deflated(b"Hello", 6);
    for broken in [
        &b""[..],
        // A block of the type that does not exist (RFC 1951 §3.2.3).
        &[0x07],
        // Fixed codes that refer back behind the beginning.
        &[0x4B, 0x04, 0x12, 0x00],
        // A stored block of which the lengths do not agree, and one cut short.
        &[0x00, 0x05, 0x00, 0x00, 0x00, b'H'],
        &[0x00, 0x05, 0x00, 0xFA, 0xFF, b'H', b'e'],
        // A last block without what has to stand behind it (RFC 7692 §7.2.3.4).
        &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07],
        // The tail that was to be taken off.
        &[&hello[..], &[0x00, 0x00, 0xFF, 0xFF]].concat(),
        &hello[..hello.len() - 2],
    ] {
        assert_eq!(
            whole(&mut inflater, broken, LIMIT),
            Err(Broken::Data),
            "{broken:x?}"
        );
        assert_eq!(
            whole(&mut inflater, &hello, LIMIT).as_deref(),
            Ok(&b"Hello"[..])
        );
    }
}

#[test]
fn a_compressor_that_has_no_more_to_say_is_used_again() {
    let mut deflater = Deflater::default();
    let (level, window) = (Level::new(1).unwrap(), Window::LARGEST);
    // What comes out no shorter fills every buffer on the way, again and again.
    for _ in 0..8 {
        assert_eq!(deflater.deflate(&noise(LIMIT), level, window), None);
        let text = deflater.deflate(&[b'a'; 1000], level, window).unwrap();
        assert_eq!(
            whole(&mut Inflater::default(), text, LIMIT).unwrap(),
            [b'a'; 1000]
        );
    }
    assert_eq!(deflater.compressors.len(), 1);
}

#[test]
fn endless_last_blocks_cost_no_chunk_each() {
    let blocks = [3, 0].repeat(LIMIT / 2);
    let mut inflater = Inflater::default();
    let before = CLEARED.get();
    let made = whole(&mut inflater, &[&blocks[..], &[0]].concat(), LIMIT);
    assert_eq!(made, Ok(Vec::new()));
    let cleared = CLEARED.get() - before;
    assert!(cleared < LIMIT, "{cleared} bytes were cleared");
}

#[test]
fn what_is_sent_to_many_is_deflated_once_for_one_encoding() {
    let encoding = |threshold, window| Encoding {
        window: Window::within(window).unwrap(),
        level: Level::new(1).unwrap(),
        threshold,
    };
    let prepared = Prepared::text(&"tea ".repeat(100));
    // Of two loops, each with its own deflater.
    let [mut one, mut other] = [Deflater::default(), Deflater::default()];
    let first = prepared.deflated(encoding(100, 15), &mut one);
    let second = prepared.clone().deflated(encoding(200, 15), &mut other);
    assert_eq!(first.as_bytes().as_ptr(), second.as_bytes().as_ptr());
    assert!(other.compressors.is_empty(), "it had nothing to do");
    let narrow = prepared.deflated(encoding(100, 9), &mut other);
    assert_ne!(first.as_bytes().as_ptr(), narrow.as_bytes().as_ptr());
    let short = prepared.deflated(encoding(401, 15), &mut other);
    assert_eq!(short.as_bytes().as_ptr(), prepared.as_bytes().as_ptr());
    // What comes out no shorter is not tried again either.
    let noise = Prepared::binary(&noise(1000));
    assert_eq!(
        noise.deflated(encoding(0, 15), &mut one).as_bytes(),
        noise.as_bytes()
    );
    let mut idle = Deflater::default();
    assert_eq!(
        noise.deflated(encoding(0, 15), &mut idle).as_bytes(),
        noise.as_bytes()
    );
    assert!(idle.compressors.is_empty());
}

#[test]
fn no_loop_waits_for_another_that_deflates() {
    let encoding = Encoding {
        window: Window::LARGEST,
        level: Level::new(9).unwrap(),
        threshold: 0,
    };
    let long = "tea and bread ".repeat(200_000);
    // Both begin at once, and both deflate, unless one happens to be done before the other is given a turn.
    let both = || {
        let (prepared, together) = (Prepared::text(&long), Barrier::new(2));
        let one = || {
            let mut deflater = Deflater::default();
            together.wait();
            let made = prepared.deflated(encoding, &mut deflater);
            (
                made.as_bytes().as_ptr() as usize,
                deflater.compressors.len(),
            )
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(one);
            let (mine, theirs) = (one(), other.join().unwrap());
            assert_eq!(mine.0, theirs.0, "what is kept is kept once");
            mine.1 + theirs.1 == 2
        })
    };
    assert!((0..50).any(|_| both()), "one always waited");
}

#[test]
fn peers_cannot_have_a_publication_deflated_more_often_than_three_times() {
    let prepared = Prepared::text(&"tea ".repeat(100));
    let mut deflater = Deflater::default();
    let mut frames: Vec<_> = (0..=255)
        .filter_map(Window::within)
        .map(|window| {
            let level = Level::new(1).unwrap();
            let encoding = Encoding {
                window,
                level,
                threshold: 0,
            };
            let frame = prepared.deflated(encoding, &mut deflater);
            frame.as_bytes().as_ptr()
        })
        .collect();
    assert_eq!(frames.len(), 7, "9 to 15 are met");
    frames.sort_unstable();
    frames.dedup();
    assert_eq!((frames.len(), deflater.compressors.len()), (3, 3));
}

fn chosen(lines: &[&'static str]) -> Result<Option<Terms>, &'static str> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(line));
    }
    choose(&headers).map_err(|_| "malformed")
}

#[test]
fn an_offer_that_cannot_be_met_is_declined_and_the_next_one_looked_at() {
    for parameters in [
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=8",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=1e1",
        "server_max_window_bits=99999999999999999999",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=+9",
        "client_max_window_bits; client_max_window_bits=9",
        "server_no_context_takeover=1",
        "client_no_context_takeover; client_no_context_takeover",
        "Server_No_Context_Takeover",
        "mystery",
    ] {
        let alone: &'static str = format!("permessage-deflate; {parameters}").leak();
        assert_eq!(chosen(&[alone]), Ok(None), "{alone}");
        let next: &'static str =
            format!("{alone}, permessage-deflate; server_max_window_bits=12").leak();
        let second = chosen(&[next]).unwrap().unwrap();
        assert_eq!(
            second.server_window(),
            Window::within(12).unwrap(),
            "{next}"
        );
    }
}

#[test]
fn the_first_offer_that_can_be_met_is_chosen_over_several_lines() {
    let lines = [
        "other; x=1, permessage-deflate; server_max_window_bits=\"1\\1\"",
        "permessage-deflate",
    ];
    let terms = chosen(&lines).unwrap().unwrap();
    assert_eq!(terms.server_window(), Window::within(9).unwrap());
    assert_eq!(chosen(&["permessage-bzip2, "]), Ok(None));
    assert_eq!(chosen(&[]), Ok(None));
}

#[test]
fn what_is_no_list_of_extensions_is_refused() {
    for line in [
        "permessage-deflate;",
        "permessage-deflate; ; mystery",
        "; permessage-deflate",
        "permessage deflate",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"1\\\\0\"",
        "permessage-deflate; x=\"a b\"",
        "permessage-deflate; =10",
        "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
        "x;a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q",
    ] {
        assert_eq!(chosen(&[line]), Err("malformed"), "{line}");
    }
}

#[test]
fn a_client_takes_only_what_it_offered() {
    assert_eq!(accepted(""), Ok(false));
    assert_eq!(accepted(CLIENT_OFFER), Ok(true));
    let terms = chosen(&["permessage-deflate; server_max_window_bits=9"])
        .unwrap()
        .unwrap();
    assert_eq!(accepted(terms.answer().to_str().unwrap()), Ok(true));
    for answer in [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover; mystery",
        "permessage-bzip2; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover, permessage-deflate",
        ";",
    ] {
        assert!(accepted(answer).is_err(), "{answer}");
    }
}

/// As a client with a window of so many bits reads it, a few bytes at a time, so that it has nothing else to look back at.
fn read_with(window: u8, deflated: &[u8]) -> Vec<u8> {
    let mut stream = Decompress::new_with_window_bits(false, window);
    let input = [deflated, &[0, 0, 0xFF, 0xFF]].concat();
    let (mut out, mut chunk) = (Vec::new(), [0; 100]);
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let rest = &input[usize::try_from(read).unwrap()..];
        stream
            .decompress(rest, &mut chunk, FlushDecompress::None)
            .unwrap();
        let came = usize::try_from(stream.total_out() - written).unwrap();
        out.extend(&chunk[..came]);
        if came == 0 && stream.total_in() == read {
            assert!(rest.is_empty());
            return out;
        }
    }
}

/// Words over and over, near and far apart, so that there is something to find.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        (any::<u8>(), 0usize..3000).prop_map(|(byte, count)| vec![byte; count]),
        (0usize..2000).prop_map(noise),
    ];
    let words = prop::collection::vec(word, 1..12);
    (
        words,
        prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    )
        .prop_map(|(words, order)| order.iter().flat_map(|at| at.get(&words).clone()).collect())
}

proptest! {
    #[test]
    fn whatever_we_deflate_is_read_with_the_window_that_was_agreed(
        payloads in prop::collection::vec(payload(), 1..4), level in 1u8..=9, window in 9u8..=15,
    ) {
        let mut deflater = Deflater::default();
        for payload in payloads {
            let agreed = (Level::new(level).unwrap(), Window::within(window).unwrap());
            if let Some(deflated) = deflater.deflate(&payload, agreed.0, agreed.1) {
                prop_assert!(deflated.len() < payload.len());
                prop_assert!(read_with(window, deflated) == payload);
            }
            prop_assert_eq!(deflater.compressors.len(), 1);
        }
    }

    #[test]
    fn random_bytes_inflate_to_no_more_than_the_limit_whole_or_in_pieces(
        bytes: Vec<u8>, start in payload(), size in 1usize..100,
    ) {
        for bytes in [&bytes[..], &[&deflated(&start, 6)[..], &bytes].concat()] {
            let mut inflater = Inflater::default();
            let inflated = whole(&mut inflater, bytes, 1000);
            prop_assert!(inflated.as_ref().is_ok_and(|it| it.len() <= 1000) || inflated.is_err());
            let cut = pieces(bytes, size, 1000);
            prop_assert_eq!(cut.ok(), inflated.ok());
            // Whatever it was, the next message is read as ever.
            prop_assert_eq!(whole(&mut inflater, &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], 9).unwrap(), b"Hello");
        }
    }
}
