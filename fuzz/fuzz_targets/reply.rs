//! See `pratique_metrics::fuzz::reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pratique_metrics::fuzz::reply(data));
