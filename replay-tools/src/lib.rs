//! The analyst's and auditor's command line: import, replay, inspect, rebuild.
