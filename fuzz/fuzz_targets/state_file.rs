//! See `pratique_metrics::fuzz::state_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pratique_metrics::fuzz::state_file(data));
