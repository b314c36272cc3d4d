//! The credential among a request's headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::credential::check(input);
});
