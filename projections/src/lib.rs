//! The read models: each with its writes and its reads side by side, and the runtime that keeps them.
