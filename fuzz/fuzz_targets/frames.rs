//! A client's stream of frames, cut anyhow; tungstenite reads it too.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::frames::check(input);
});
