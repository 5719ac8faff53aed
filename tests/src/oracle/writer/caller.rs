//! One caller: what it does next is a matter of chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daybook_domain::IdSource as _;
use daybook_eventstore::Chain;
use daybook_eventstore::process::SystemIds;

use super::super::Failed;
use super::super::dice::Dice;
use super::super::history::{Asked, Content, Part, Told};
use super::hands::{Hands, asked, events};
use super::order::{LEDGER, name};

/// How many streams everybody writes to, and how many that everybody writes to all the time.
const SHARED: u64 = 12;
const HOT: u64 = 2;
/// How many commands a caller remembers, to repeat them.
const REMEMBERED: usize = 64;
/// How many appends are sent one on top of the other.
const BURST: u64 = 5;
/// How many commands are imported at once, at most.
const HISTORY: u64 = 120;
/// The longest pause between two things, in milliseconds.
const PAUSE: u64 = 12;

/// What a caller does, and how often among a hundred things.
const DEEDS: [(u64, Deed); 14] = [
    (14, Deed::Fresh),
    (12, Deed::Own),
    (12, Deed::Hot),
    (6, Deed::Burst),
    (14, Deed::Several),
    (6, Deed::Conflicting),
    (4, Deed::Nothing),
    (4, Deed::Condition),
    (6, Deed::Again),
    (4, Deed::Otherwise),
    (4, Deed::Twin),
    (9, Deed::Tally),
    (5, Deed::Tallies),
    (1, Deed::Import),
];

#[derive(Debug, Clone, Copy)]
enum Deed {
    /// One event for a new stream.
    Fresh,
    /// One or three events for the caller's own stream.
    Own,
    /// One event for a stream that everybody writes to.
    Hot,
    /// Several appends, each on top of the one before, without waiting.
    Burst,
    /// Events for several streams at once, and a condition on one that is not written.
    Several,
    /// Events for a version that is not there any more, or not yet.
    Conflicting,
    /// A command without events that is to be remembered.
    Nothing,
    /// Conditions alone.
    Condition,
    /// The same command again.
    Again,
    /// The same id with another input.
    Otherwise,
    /// The same command twice at once.
    Twin,
    /// A command for an aggregate.
    Tally,
    /// A command for two aggregates that also looks at a third.
    Tallies,
    /// Many commands at once, as history: some for the same streams, some for those of others, some again.
    Import,
}

/// Does one thing after another.
pub(super) struct Caller {
    hands: Arc<Hands>,
    dice: Dice,
    own: String,
    done: Vec<Asked>,
}

impl Caller {
    pub(super) fn new(hands: Arc<Hands>, dice: Dice, who: &[u64]) -> Self {
        let own = name(LEDGER, &format!("own-{who:?}"));
        Self { hands, dice, own, done: Vec::new() }
    }

    pub(super) async fn run(mut self, stop: Arc<AtomicBool>) -> Result<(), Failed> {
        while !stop.load(Ordering::Relaxed) {
            let deed = self.choose();
            self.act(deed).await?;
            tokio::time::sleep(self.dice.between(0, PAUSE)).await;
        }
        Ok(())
    }

    fn choose(&mut self) -> Deed {
        let mut rolled = self.dice.below(DEEDS.iter().map(|(often, _)| often).sum());
        let chosen = DEEDS.iter().find(|(often, _)| {
            let is_it = rolled < *often;
            rolled = rolled.saturating_sub(*often);
            is_it
        });
        chosen.map_or(Deed::Fresh, |(_, deed)| *deed)
    }

    async fn act(&mut self, deed: Deed) -> Result<(), Failed> {
        match deed {
            Deed::Fresh => self.append(vec![fresh()]).await,
            Deed::Own => {
                let count = if self.dice.percent(50) { 3 } else { 1 };
                let part = self.next(self.own.clone(), count);
                self.append(vec![part]).await
            }
            Deed::Hot => {
                let stream = name(LEDGER, &format!("hot-{}", self.dice.below(HOT)));
                let part = self.next(stream, 1);
                self.append(vec![part]).await
            }
            Deed::Burst => self.burst().await,
            Deed::Several => {
                let parts = self.several();
                self.append(parts).await
            }
            Deed::Conflicting => {
                let stream = self.shared();
                let mut part = self.next(stream, 1);
                let wrong = if self.dice.percent(50) { 3 } else { -1 };
                part.expected = (part.expected + wrong).max(0);
                self.append(vec![part]).await
            }
            Deed::Nothing | Deed::Condition => {
                let content = Content::Exact(self.conditions());
                let recorded = matches!(deed, Deed::Nothing);
                let asked = asked(self.dice.roll(), recorded, content);
                self.ask(asked).await
            }
            Deed::Again => match self.earlier() {
                Some(earlier) => self.hands.ask(earlier).await.map(drop),
                None => Ok(()),
            },
            Deed::Otherwise => self.otherwise().await,
            Deed::Twin => self.twin().await,
            Deed::Tally => self.tally().await,
            Deed::Tallies => self.tallies().await,
            Deed::Import => self.import().await,
        }
    }

    async fn append(&mut self, parts: Vec<Part>) -> Result<(), Failed> {
        let input = self.dice.roll();
        self.ask(asked(input, true, Content::Exact(parts))).await
    }

    async fn ask(&mut self, asked: Asked) -> Result<(), Failed> {
        let told = self.hands.ask(asked.clone()).await?;
        self.remember(asked, &told);
        Ok(())
    }

    fn remember(&mut self, asked: Asked, told: &Told) {
        // What is not known is left to whoever comes after a kill.
        if asked.recorded && *told != Told::Unknown {
            if self.done.len() == REMEMBERED {
                self.done.remove(0);
            }
            self.done.push(asked);
        }
    }

    async fn burst(&mut self) -> Result<(), Failed> {
        let stream = self.shared();
        let (chain, begin) = (Arc::new(Chain::default()), self.hands.version(&stream));
        let mut sent = Vec::new();
        for expected in (begin..).take(usize::try_from(BURST)?) {
            let part = Part { stream: stream.clone(), expected, events: events(1) };
            let asked = asked(self.dice.roll(), true, Content::Exact(vec![part]));
            sent.push(self.hands.send(asked, Some(&chain))?);
        }
        for one in sent {
            self.hands.answer(one).await?;
        }
        Ok(())
    }

    async fn otherwise(&mut self) -> Result<(), Failed> {
        let Some(earlier) = self.earlier() else { return Ok(()) };
        let content = match earlier.content {
            Content::Exact(_) => Content::Exact(vec![fresh()]),
            decided @ Content::Decided(_) => decided,
        };
        let input = earlier.input.wrapping_add(1);
        self.hands.ask(Asked { input, content, ..earlier }).await.map(drop)
    }

    async fn twin(&mut self) -> Result<(), Failed> {
        let stream = self.shared();
        let part = self.next(stream, 2);
        let asked = asked(self.dice.roll(), true, Content::Exact(vec![part]));
        let sent = [self.hands.send(asked.clone(), None)?, self.hands.send(asked, None)?];
        for one in sent {
            self.hands.answer(one).await?;
        }
        Ok(())
    }

    async fn tally(&mut self) -> Result<(), Failed> {
        let id = if self.dice.percent(30) {
            let id = SystemIds.next().to_string();
            self.hands.tallies.presume_new(&id).await;
            id
        } else {
            format!("tally-{}", self.dice.below(SHARED))
        };
        let times = if self.dice.percent(30) { 3 } else { 1 };
        let parts = vec![(name("Tally", &id), times)];
        let unless = self.dice.percent(20).then_some(2);
        self.decide(parts, unless).await
    }

    async fn tallies(&mut self) -> Result<(), Failed> {
        let first = self.dice.below(SHARED);
        let second = (first + 1 + self.dice.below(SHARED - 1)) % SHARED;
        let mut parts = vec![(format!("tally-{first}"), 1), (format!("tally-{second}"), 2)];
        if self.dice.percent(20) {
            // What others look at changes too.
            parts = vec![(format!("tally-{first}-seen"), 1)];
        }
        let parts = parts.into_iter().map(|(id, times)| (name("Tally", &id), times)).collect();
        self.decide(parts, None).await
    }

    async fn import(&mut self) -> Result<(), Failed> {
        let mut commands: Vec<Asked> = Vec::new();
        for _ in 0..self.dice.below(HISTORY) {
            let before = commands.last().and_then(|before| match &before.content {
                Content::Exact(parts) => parts.first(),
                Content::Decided(_) => None,
            });
            let part = match (self.dice.below(4), before) {
                // On top of the one before.
                (0, Some(before)) => {
                    let expected = before.expected + i64::try_from(before.events.len())?;
                    Part { expected, events: events(2), ..before.clone() }
                }
                (1, _) => {
                    let stream = self.shared();
                    self.next(stream, 1)
                }
                (_, _) => fresh(),
            };
            let new = asked(self.dice.roll(), true, Content::Exact(vec![part]));
            let again = self.earlier().filter(|earlier| matches!(earlier.content, Content::Exact(_)));
            commands.push(again.filter(|_| self.dice.percent(10)).unwrap_or(new));
        }
        let answers = self.hands.import(commands.clone()).await?;
        commands.into_iter().zip(answers).for_each(|(asked, told)| self.remember(asked, &told));
        Ok(())
    }

    async fn decide(&mut self, parts: Vec<(String, usize)>, unless: Option<i64>) -> Result<(), Failed> {
        let asked = asked(self.dice.roll(), true, Content::Decided(parts.clone()));
        let told = self.hands.decide(asked.clone(), &parts, unless).await?;
        self.remember(asked, &told);
        Ok(())
    }

    /// The next events of a stream, as far as this process knows.
    fn next(&self, stream: String, count: u64) -> Part {
        let expected = self.hands.version(&stream);
        Part { stream, expected, events: events(count) }
    }

    fn shared(&mut self) -> String {
        name(LEDGER, &format!("shared-{}", self.dice.below(SHARED)))
    }

    /// Two or three streams, some of them only looked at.
    fn several(&mut self) -> Vec<Part> {
        let first = self.dice.below(SHARED);
        let count = 2 + self.dice.below(2);
        let streams =
            (first..first + count).map(|number| name(LEDGER, &format!("shared-{}", number % SHARED)));
        let mut parts: Vec<Part> = streams.map(|stream| self.next(stream, 1 + first % 2)).collect();
        if self.dice.percent(40)
            && let Some(last) = parts.last_mut()
        {
            last.events.clear();
        }
        parts
    }

    fn conditions(&mut self) -> Vec<Part> {
        let mut parts = self.several();
        for part in &mut parts {
            part.events.clear();
        }
        parts
    }

    fn earlier(&mut self) -> Option<Asked> {
        self.dice.one_of(&self.done).cloned()
    }
}

/// One event for a new stream.
fn fresh() -> Part {
    Part { stream: name(LEDGER, &SystemIds.next().to_string()), expected: 0, events: events(1) }
}
