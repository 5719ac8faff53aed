//! The rules of the shop: aggregates, their commands and events; pure, with no I/O, no clock and no randomness.
