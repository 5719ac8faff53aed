//! Series of commands: for few streams and with few ids, so that they meet.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use daybook_domain::CommandId;
use daybook_eventstore::{Append, Chain, Fingerprint, NewEvent, Part, StreamId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use uuid::Uuid;

/// A command, as somebody wishes for it who knows how the streams are, or nearly.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// A new id, or the one of an earlier command, counted from here.
    pub(super) repeats: Option<usize>,
    /// Whether a repetition has the same input.
    pub(super) faithful: bool,
    pub(super) recorded: bool,
    /// What it wants, stream by stream.
    pub(super) parts: Vec<(usize, PartWish)>,
}

#[derive(Debug, Clone)]
pub(super) struct PartWish {
    /// By how much the version is wrong.
    pub(super) off: i64,
    pub(super) events: usize,
    /// Which state in memory it was decided on; nothing is one of its own.
    pub(super) chain: Option<u8>,
}

/// What a series may have.
#[derive(Debug, Clone)]
pub(super) struct Kinds {
    pub(super) offs: Vec<(u32, i64)>,
    pub(super) chains: bool,
    pub(super) unrecorded: bool,
}

impl Kinds {
    pub(super) fn all() -> Self {
        Self { offs: vec![(10, 0), (1, -1), (1, 1)], chains: true, unrecorded: true }
    }
}

pub(super) fn wishes(length: Range<usize>, kinds: &Kinds) -> impl Strategy<Value = Vec<Wish>> + use<> {
    let offs: Vec<_> = kinds.offs.iter().map(|(weight, off)| (*weight, Just(*off))).collect();
    let chain =
        if kinds.chains { proptest::option::weighted(0.2, 0..2_u8).boxed() } else { Just(None).boxed() };
    let part = (proptest::strategy::Union::new_weighted(offs), 0..4_usize, chain)
        .prop_map(|(off, events, chain)| PartWish { off, events, chain });
    let recorded = if kinds.unrecorded { proptest::bool::weighted(0.85).boxed() } else { Just(true).boxed() };
    let parts = btree_map(0..5_usize, part, 1..4).prop_map(|parts| parts.into_iter().collect::<Vec<_>>());
    let wish = (
        proptest::option::weighted(0.2, 0..8_usize),
        proptest::bool::weighted(0.7),
        recorded,
        parts.prop_shuffle(),
    )
        .prop_map(|(repeats, faithful, recorded, parts)| Wish { repeats, faithful, recorded, parts });
    vec(wish, length)
}

/// Makes commands of wishes. No two series have an id or a stream in common.
#[derive(Debug)]
pub(super) struct Maker {
    series: u128,
    ids: Vec<CommandId>,
    chains: HashMap<(usize, u8), Arc<Chain>>,
}

impl Maker {
    pub(super) fn new(series: u128) -> Self {
        Self { series, ids: Vec::new(), chains: HashMap::new() }
    }

    pub(super) fn stream(&self, number: usize) -> StreamId {
        StreamId {
            aggregate_type: if number.is_multiple_of(2) { "Even" } else { "Odd" }.to_owned(),
            aggregate_id: format!("{}-{number}", self.series),
        }
    }

    /// The next command, when the streams are at these versions.
    pub(super) fn make(&mut self, wish: &Wish, version: impl Fn(&StreamId) -> i64) -> Append {
        let number = self.ids.len();
        let new = CommandId::new(Uuid::from_u128((self.series << 32) | u128::try_from(number).expect("few")));
        let earlier = wish.repeats.and_then(|back| self.ids.iter().rev().nth(back)).copied();
        let command_id = earlier.unwrap_or(new);
        self.ids.push(command_id);
        let input = if wish.faithful { command_id.uuid() } else { new.uuid() };
        let mut events = (0..).map({
            let series = self.series;
            move |n| event(series, number, n)
        });
        let mut parts = Vec::new();
        for (number, part) in &wish.parts {
            let (stream, own) = (self.stream(*number), Arc::default());
            let shared = part.chain.map(|chain| self.chains.entry((*number, chain)).or_default());
            parts.push(Part {
                expected: version(&stream) + part.off,
                stream,
                events: events.by_ref().take(part.events).collect(),
                chain: Arc::clone(shared.unwrap_or(&mut { own })),
            });
        }
        Append {
            command_id,
            fingerprint: Fingerprint::of(&[input.as_bytes()]),
            parts,
            outcome: wish.recorded.then(|| format!("{{ \"command\":  {number} }}")),
        }
    }
}

fn event(series: u128, command: usize, number: u32) -> NewEvent {
    let command = u128::try_from(command).expect("few");
    NewEvent {
        event_id: Uuid::from_u128((series << 64) | (command << 32) | u128::from(number)),
        event_type: format!("Happened{}", number % 2),
        event_version: "1".to_owned(),
        payload: format!("{{ \"n\":  {number}, \"name\": \"Zoë \\u0041 \\\\ \\n\" }}"),
        metadata: format!("{{\"command\": {command}}}"),
    }
}

/// The same commands, decided on states in memory that nobody has doubted yet.
pub(super) fn anew(commands: &[Append]) -> Vec<Append> {
    let mut chains: HashMap<*const Chain, Arc<Chain>> = HashMap::new();
    let part = |part: &Part, chains: &mut HashMap<*const Chain, Arc<Chain>>| Part {
        chain: Arc::clone(chains.entry(Arc::as_ptr(&part.chain)).or_default()),
        ..part.clone()
    };
    commands
        .iter()
        .map(|command| Append {
            parts: command.parts.iter().map(|one| part(one, &mut chains)).collect(),
            ..command.clone()
        })
        .collect()
}
