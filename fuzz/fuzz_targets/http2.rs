//! An HTTP/2 request; what is passed would be over HTTP/1.1.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    wardwire_properties::http2::check(input);
});
