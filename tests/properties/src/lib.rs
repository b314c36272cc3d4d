//! What must hold of any bytes at each place where strangers' bytes, or an operator's, are read.
//!
//! Each module has one `check`: it panics where a property is broken, and else says whether the input was taken. The
//! fuzzer calls it (`fuzz/fuzz_targets`), and the tests replay what the fuzzer found (`fuzz/corpus`). Nothing here is part
//! of the server; it uses what is public of it. Three modules ask a second, foreign reader of the same bytes: [`frames`]
//! tungstenite, [`deflate`] miniz_oxide, [`request_head`] hyper.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a property that does not hold is told by a panic"
)]

pub mod config;
pub mod credential;
pub mod deflate;
pub mod frames;
pub mod http2;
pub mod negotiation;
pub mod request_head;
pub mod rpc;
pub mod token;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The longest input that is looked at, in bytes.
pub const LONGEST: usize = 4096;

/// A target: whether it took the input.
pub type Check = fn(&[u8]) -> bool;

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Check); 9] = [
    ("frames", frames::check),
    ("deflate", deflate::check),
    ("negotiation", negotiation::check),
    ("request_head", request_head::check),
    ("http2", http2::check),
    ("token", token::check),
    ("credential", credential::check),
    ("rpc", rpc::check),
    ("config", config::check),
];

/// Header lines as an input has them: `name: value`, a line each. What is no header line is left out.
fn header_lines(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|&byte| byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
