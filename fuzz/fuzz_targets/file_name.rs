//! See `pratique_metrics::fuzz::file_name`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pratique_metrics::fuzz::file_name(data));
