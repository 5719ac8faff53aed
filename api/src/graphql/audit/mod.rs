//! The auditor's view: what happened, by whom and why, with the proof that it did. What somebody is shown of it is recorded
//! first, as an event like any other.

mod checkpoint;
mod dossier;
mod event;
mod lookups;
mod query;
mod record;
mod sought;

pub(crate) use lookups::evidence;
pub(crate) use query::AuditQuery;
pub(crate) use record::{record, records};
