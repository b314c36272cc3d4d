//! A configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::config::check(input);
});
