//! A message of `wardwire.v1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::rpc::check(input);
});
