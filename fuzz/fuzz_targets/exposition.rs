//! See `pratique_metrics::fuzz::exposition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pratique_metrics::fuzz::exposition(data));
