//! A raw request head; hyper reads what is passed.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::request_head::check(input);
});
