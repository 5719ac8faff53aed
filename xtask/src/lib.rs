//! The developer's front door: up, down, status, demo, test, bench.
