//! End-to-end, fault, property and contract tests.

pub mod oracle;
