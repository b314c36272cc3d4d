//! The offer of an opening handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::negotiation::check(input);
});
