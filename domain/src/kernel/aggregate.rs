//! The shape of a decision, and how an aggregate becomes a `cqrs_es::Aggregate`.

/// Why a request may not happen: data for whoever asked, never a fault.
pub trait Refusal: std::error::Error {
    /// The stable code that clients match on, such as `QUOTE_EXPIRED`.
    fn code(&self) -> &'static str;
}

/// What a decision comes to: the events that happened, or the refusal.
pub type Decision<E, R> = Result<Vec<E>, R>;

/// One thing happened.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the three ends a decision has")]
pub(crate) fn happened<E, R>(event: E) -> Decision<E, R> {
    Ok(vec![event])
}

/// It is already so: nothing happens, and a retry is harmless.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the three ends a decision has")]
pub(crate) fn already<E, R>() -> Decision<E, R> {
    Ok(Vec::new())
}

/// It may not happen.
pub(crate) fn refuse<E, R>(refusal: R) -> Decision<E, R> {
    Err(refusal)
}

/// One type of event, for the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// The aggregate whose fact it is.
    pub aggregate: &'static str,
    /// Its stored name, such as `OrderPlaced`.
    pub name: &'static str,
    /// The version of its fields that is written today.
    pub version: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Names an event enum's variants for the store: variant `Placed` of aggregate `Order` is `OrderPlaced`.
macro_rules! event_types {
    ($event:ident, $aggregate:literal, { $($variant:ident = $version:literal: $meaning:literal,)+ }) => {
        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                match self { $(Self::$variant { .. } => concat!($aggregate, stringify!($variant)),)+ }.to_owned()
            }
            fn event_version(&self) -> String {
                match self { $(Self::$variant { .. } => $version,)+ }.to_owned()
            }
        }

        impl $event {
            /// Every type of event this aggregate writes.
            pub const TYPES: &'static [crate::kernel::EventType] = &[$(crate::kernel::EventType {
                aggregate: $aggregate,
                name: concat!($aggregate, stringify!($variant)),
                version: $version,
                meaning: $meaning,
            },)+];
        }
    };
}

/// Makes a type with a pure `decide(&self, command) -> Decision` and a total `evolve(&mut self, event)` a
/// `cqrs_es::Aggregate`. A decision is taken whole before its first event is applied, so a refusal
/// leaves the state untouched.
macro_rules! aggregate {
    ($aggregate:ident, $name:literal, $command:ty, $event:ty, $refusal:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = $name;
            type Command = $command;
            type Event = $event;
            type Error = $refusal;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                (): &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                self.evolve(event);
            }
        }
    };
}

pub(crate) use {aggregate, event_types};
