//! The fixed values that sample events are made of, so that golden files never change by themselves.

use chrono::{DateTime, Duration};
use uuid::Uuid;

use super::{Quantity, Timestamp};

/// A fixed `UUIDv7` per number.
pub(crate) const fn id(number: u16) -> Uuid {
    Uuid::from_u128(0x019a_a5b2_7400_7000_8000_0000_0000_0000 | number as u128)
}

/// The fixed moment 2026-01-02T03:04:05Z, and `seconds` later.
pub(crate) fn moment(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(1_767_323_045, 0).unwrap_or_default() + Duration::seconds(seconds)
}

/// This many units.
pub(crate) fn quantity(count: i64) -> Quantity {
    Quantity::try_new(count).unwrap_or(Quantity::ONE)
}

/// Checks that every type of event has a sample, and that each reads back as it was written; returns the
/// samples with the name of the type and version that each one is golden for, numbered where there are several.
#[cfg(test)]
pub(crate) fn checked<E>(types: &[super::EventType], samples: Vec<E>) -> Vec<(String, E)>
where
    E: cqrs_es::DomainEvent,
{
    for known in types {
        let has_one = samples.iter().any(|sample| sample.event_type() == known.name);
        assert!(has_one, "{} has no sample", known.name);
    }
    for sample in &samples {
        let written = serde_json::to_string(sample).expect("json");
        assert_eq!(serde_json::from_str::<E>(&written).expect("event"), *sample);
    }
    let mut names = std::collections::BTreeMap::new();
    let mut golden = |sample: &E| {
        let name = format!("{}_v{}", sample.event_type(), sample.event_version());
        let number = names.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
        if *number == 1 { name } else { format!("{name}_{number}") }
    };
    samples.into_iter().map(|sample| (golden(&sample), sample)).collect()
}
