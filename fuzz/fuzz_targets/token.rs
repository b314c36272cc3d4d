//! A token, or claims that somebody signs.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::token::check(input);
});
