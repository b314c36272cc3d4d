//! What a peer calls a deflated message, cut anyhow; miniz_oxide inflates it too. And a message that is deflated.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::deflate::check(input);
});
