//! One event of each kind, always the same: for golden files and the event catalogue.

use super::{Inspected, InspectionEvent, Sought};
use crate::kernel::{InspectionId, OrderId, sample};

/// One or more events of every type.
pub fn samples() -> Vec<InspectionEvent> {
    let sought = Sought {
        event_type: Some("PaymentCaptured".to_owned()),
        from: Some(sample::moment(0)),
        ..Sought::default()
    };
    let of = vec![
        Inspected::Events { sought, shown: vec![1_201, 1_377] },
        Inspected::Order { order_id: OrderId::new(sample::id(0x30)) },
        Inspected::Proof { position: 1_377 },
    ];
    vec![InspectionEvent::Made { inspection_id: InspectionId::new(sample::id(0x80)), of }]
}
