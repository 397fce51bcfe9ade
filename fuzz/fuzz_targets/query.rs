//! See `pratique_metrics::fuzz::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pratique_metrics::fuzz::query(data));
