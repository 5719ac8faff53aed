//! A history that is right, and one for each way of being wrong.

use uuid::Uuid;

use super::super::history::{
    Asked, Attempt, Content, History, Logged, Part, Reading, Recorded, Seen, Told, Wants,
};
use super::{Kind, check};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn logged(position: i64, event: u128, stream: &str, sequence: i64, command: u128) -> Logged {
    Logged {
        position,
        event: id(event),
        digest: u64::try_from(event).expect("a small number"),
        stream: stream.to_owned(),
        sequence,
        command: id(command),
        intact: true,
        saw: Vec::new(),
    }
}

fn part(stream: &str, expected: i64, events: &[u128]) -> Part {
    Part { stream: stream.to_owned(), expected, events: events.iter().copied().map(id).collect() }
}

fn asked(command: u128, parts: Vec<Part>) -> Asked {
    let input = u64::try_from(command).expect("a small number") * 100;
    Asked { command: id(command), input, recorded: true, content: Content::Exact(parts) }
}

/// One thing after another: each is answered before the next is asked for.
fn attempt(at: i64, asked: Asked, told: Told) -> Attempt {
    Attempt { asked, from: at * 10, to: at * 10 + 5, told }
}

fn done(position: i64, version: i64) -> Told {
    Told::Done { position, version: Some(version) }
}

fn seen(event: &Logged) -> Seen {
    Seen { position: event.position, event: Some(event.event), digest: event.digest }
}

/// Command 1 appends to a; 2 to a and b, seeing that there is no c; 3 conflicts; 4 is not answered and took effect; 5 is
/// not answered and did not; 6 is decided by a repository, 7 refused; 8 appends nothing; 2 is repeated, once with another
/// input.
fn right() -> History {
    let two = || asked(2, vec![part("a", 1, &[12]), part("b", 0, &[13, 14]), part("c", 0, &[])]);
    let decided = Asked { content: Content::Decided(vec![("d".to_owned(), 1)]), ..asked(6, Vec::new()) };
    let otherwise = Asked { input: 1, content: Content::Exact(vec![part("e", 0, &[99])]), ..two() };
    let condition = Asked { recorded: false, ..asked(9, vec![part("a", 2, &[]), part("b", 3, &[])]) };
    let mut log = vec![
        logged(1, 11, "a", 1, 1),
        logged(2, 12, "a", 2, 2),
        logged(3, 13, "b", 1, 2),
        logged(4, 14, "b", 2, 2),
        logged(5, 15, "b", 3, 4),
        logged(6, 16, "d", 1, 6),
    ];
    log[5].saw = vec![("d".to_owned(), 0), ("b".to_owned(), 3)];
    let recorded =
        [(1, 1, 1), (2, 2, 4), (4, 3, 5), (6, 1, 6), (8, 3, 6)].map(|(command, version, position)| {
            let input = Some(u64::try_from(command).expect("a small number") * 100);
            Recorded { command: id(command), input, version, position }
        });
    let attempts = vec![
        attempt(1, asked(1, vec![part("a", 0, &[11])]), done(1, 1)),
        attempt(2, two(), done(4, 2)),
        attempt(3, asked(3, vec![part("a", 1, &[21])]), Told::Conflict),
        attempt(4, asked(4, vec![part("b", 2, &[15])]), Told::Unknown),
        attempt(5, asked(5, vec![part("b", 2, &[22])]), Told::Unknown),
        attempt(6, decided, done(6, 1)),
        attempt(7, asked(7, vec![part("a", 2, &[23])]), Told::NotDone),
        attempt(8, asked(8, vec![part("b", 3, &[])]), done(6, 3)),
        attempt(9, two(), Told::Replayed { position: 4, version: Some(2), input: Some(200) }),
        attempt(10, otherwise, Told::Mismatch),
        attempt(11, condition, done(6, 2)),
    ];
    let mut history = History { log, recorded: Some(recorded.to_vec()), attempts, readings: Vec::new() };
    read(&mut history);
    history
}

/// A reader sees the log as it is.
fn read(history: &mut History) {
    let seen = history.log.iter().map(seen).collect();
    history.readings = vec![Reading { reader: "one".to_owned(), seen, ..Reading::default() }];
}

/// What is found when the history is changed so.
fn found(change: impl FnOnce(&mut History)) -> Vec<Kind> {
    let mut history = right();
    change(&mut history);
    check(&history).counts.into_keys().collect()
}

/// The same when readers see the changed log.
fn found_in_log(change: impl FnOnce(&mut History)) -> Vec<Kind> {
    found(|history| {
        change(history);
        read(history);
    })
}

fn seen_by_one(history: &mut History) -> &mut Vec<Seen> {
    &mut history.readings[0].seen
}

#[test]
fn what_is_right_is_found_right() {
    assert_eq!(check(&right()).first, []);
    assert_eq!(check(&History::default()).first, []);
}

#[test]
fn a_position_that_is_not_there_is_a_hole() {
    let kinds = found_in_log(|history| history.log[5].position = 7);
    assert!(kinds.contains(&Kind::Hole), "{kinds:?}");
}

#[test]
fn a_stream_that_leaves_a_number_out_has_a_hole() {
    let kinds = found_in_log(|history| history.log[5].sequence = 2);
    assert!(kinds.contains(&Kind::StreamHole), "{kinds:?}");
}

#[test]
fn an_event_that_is_there_twice_is_found() {
    let kinds = found_in_log(|history| history.log[4].event = id(14));
    assert!(kinds.contains(&Kind::Twice), "{kinds:?}");
}

#[test]
fn a_command_that_took_effect_twice_is_found() {
    let kinds = found_in_log(|history| history.log.push(logged(7, 17, "d", 2, 6)));
    assert!(kinds.contains(&Kind::Twice), "{kinds:?}");
    let kinds = found(|history| {
        let again = attempt(12, history.attempts[0].asked.clone(), done(1, 1));
        history.attempts.push(again);
    });
    assert!(kinds.contains(&Kind::Twice), "{kinds:?}");
}

#[test]
fn a_command_of_which_a_part_is_missing_is_torn() {
    let kinds = found_in_log(|history| {
        history.log[3] = logged(4, 16, "d", 1, 6);
        history.log[5] = logged(6, 17, "d", 2, 6);
        history.log.truncate(4);
    });
    assert!(kinds.contains(&Kind::Torn), "{kinds:?}");
}

#[test]
fn a_command_with_another_one_in_between_is_torn() {
    let kinds = found_in_log(|history| {
        history.log.swap(0, 1);
        history.log[0] = logged(1, 12, "a", 1, 2);
        history.log[1] = logged(2, 11, "a", 2, 1);
    });
    assert!(kinds.contains(&Kind::Torn), "{kinds:?}");
}

#[test]
fn an_answered_command_that_is_not_there_is_lost() {
    let kinds = found_in_log(|history| {
        history.log.truncate(5);
        history.recorded = Some(history.recorded.take().expect("its memory")[..3].to_vec());
        history.attempts.truncate(7);
    });
    assert_eq!(kinds, [Kind::Lost]);
}

#[test]
fn a_refused_command_that_is_there_is_found() {
    for told in [Told::Conflict, Told::NotDone, Told::Mismatch] {
        let kinds = found(|history| history.attempts[0].told = told);
        assert!(kinds.contains(&Kind::Undone), "{kinds:?}");
    }
}

#[test]
fn one_that_was_asked_for_twice_may_be_there_although_it_was_refused_once() {
    let kinds = found(|history| {
        let mut again = attempt(12, history.attempts[3].asked.clone(), Told::Conflict);
        again.from = 0;
        history.attempts.push(again);
    });
    assert_eq!(kinds, []);
}

#[test]
fn an_answer_with_another_place_is_found() {
    for told in [done(3, 2), done(4, 3)] {
        let kinds = found(|history| history.attempts[1].told = told);
        assert!(kinds.contains(&Kind::Misplaced), "{kinds:?}");
    }
    let kinds = found(|history| history.attempts[7].told = done(5, 3));
    assert!(kinds.contains(&Kind::Misplaced), "{kinds:?}");
}

#[test]
fn a_repetition_that_is_told_something_else_is_found() {
    let replayed =
        |position, version, input| Told::Replayed { position, version: Some(version), input: Some(input) };
    for told in [replayed(3, 2, 200), replayed(4, 1, 200), replayed(4, 2, 201)] {
        assert_eq!(found(|history| history.attempts[8].told = told), [Kind::Misplaced]);
    }
    assert_eq!(found(|history| history.attempts[9].told = replayed(4, 2, 200)), [Kind::Misplaced]);
    assert_eq!(found(|history| history.attempts[9].asked.input = 200), [Kind::Misplaced]);
}

#[test]
fn a_command_that_was_forgotten_is_found() {
    assert_eq!(found(|history| history.attempts[8].told = Told::Conflict), [Kind::Forgotten]);
}

#[test]
fn what_nobody_asked_for_is_found() {
    let kinds = found_in_log(|history| history.log.push(logged(7, 17, "d", 2, 77)));
    assert_eq!(kinds, [Kind::Unasked]);
    assert_eq!(found_in_log(|history| drop(history.attempts.remove(3))), [Kind::Unasked]);
}

#[test]
fn a_memory_that_is_not_what_is_in_the_log_is_found() {
    let memory = |change: fn(&mut Vec<Recorded>)| {
        found(|history| change(history.recorded.as_mut().expect("its memory")))
    };
    assert_eq!(memory(|all| all.retain(|one| one.position != 5)), [Kind::Memory]);
    assert_eq!(memory(|all| all[2].position = 4), [Kind::Memory]);
    assert_eq!(memory(|all| all[2].version = 4), [Kind::Memory]);
    assert_eq!(memory(|all| all[2].input = None), [Kind::Memory]);
    assert_eq!(memory(|all| all.push(all[2].clone())), [Kind::Memory]);
    let refused = |all: &mut Vec<Recorded>| {
        all.push(Recorded { command: id(7), input: Some(700), version: 3, position: 6 });
    };
    assert_eq!(memory(refused), [Kind::Memory]);
}

#[test]
fn a_condition_that_did_not_hold_is_found() {
    let expects = |number: usize, which: usize, expected| {
        found(|history| {
            let Content::Exact(parts) = &mut history.attempts[number].asked.content else {
                panic!("it is exact")
            };
            parts[which].expected = expected;
        })
    };
    assert_eq!(expects(1, 2, 1), [Kind::Condition], "one that is only looked at");
    assert!(expects(7, 0, 2).contains(&Kind::Condition), "one that is remembered");
    assert_eq!(expects(10, 1, 2), [Kind::Condition], "two that never held at once");
    let kinds = found(|history| history.log[5].saw[1].1 = 2);
    assert_eq!(kinds, [Kind::Condition], "one that an event tells of");
}

#[test]
fn what_comes_before_what_was_answered_before_is_late() {
    let kinds = found(|history| (history.attempts[0].from, history.attempts[0].to) = (200, 201));
    assert_eq!(kinds, [Kind::Late]);
    let stale = |position| found(|history| history.attempts[10].told = done(position, 2));
    assert_eq!(stale(5), [Kind::Late], "a condition on a log that was further");
}

#[test]
fn an_event_that_is_not_as_it_was_asked_for_is_found() {
    assert_eq!(found(|history| history.log[2].intact = false), [Kind::Altered]);
}

#[test]
fn a_reader_that_misses_an_event_is_found() {
    assert_eq!(found(|history| seen_by_one(history).retain(|seen| seen.position != 3)), [Kind::Missing]);
    assert_eq!(found(|history| seen_by_one(history).truncate(5)), [Kind::Missing]);
    assert_eq!(found(|history| seen_by_one(history).clear()), [Kind::Missing]);
}

#[test]
fn a_reader_that_sees_an_event_twice_is_found() {
    assert_eq!(found(|history| seen_by_one(history).insert(3, seen(&right().log[2]))), [Kind::Doubled]);
    assert_eq!(found(|history| seen_by_one(history).push(seen(&right().log[0]))), [Kind::Doubled]);
}

#[test]
fn a_reader_that_sees_events_in_another_order_is_found() {
    assert_eq!(found(|history| seen_by_one(history).swap(4, 5)), [Kind::Reordered]);
    assert_eq!(found(|history| seen_by_one(history).swap(3, 4)), [Kind::Reordered, Kind::StreamReordered]);
}

#[test]
fn a_reader_that_sees_what_is_not_there_is_found() {
    let foreign = Seen { position: 7, event: Some(id(77)), digest: 77 };
    assert_eq!(found(|history| seen_by_one(history).push(foreign)), [Kind::Foreign]);
}

#[test]
fn a_reader_that_sees_something_else_is_found() {
    assert_eq!(found(|history| seen_by_one(history)[2].digest = 0), [Kind::Altered]);
    assert_eq!(found(|history| seen_by_one(history)[2].position = 9), [Kind::Altered]);
    assert_eq!(found(|history| seen_by_one(history)[2].event = None), [], "its place tells which it is");
}

#[test]
fn a_reader_that_was_told_of_another_log_is_found() {
    assert_eq!(found(|history| history.readings[0].diverged = 1), [Kind::Diverged]);
}

#[test]
fn who_wants_some_streams_is_to_see_these_and_nothing_else() {
    let b = |history: &mut History| {
        let log = &history.log;
        let seen = log.iter().filter(|event| event.stream == "b").map(seen).collect();
        let wants = Wants::Streams(vec!["b".to_owned()]);
        history.readings = vec![Reading { wants, seen, ..Reading::default() }];
    };
    assert_eq!(found(b), []);
    let missing = found(|history| {
        b(history);
        seen_by_one(history).pop();
    });
    assert_eq!(missing, [Kind::Missing]);
    let unasked = found(|history| {
        b(history);
        let other = seen(&history.log[0]);
        seen_by_one(history).insert(0, other);
    });
    assert_eq!(unasked, [Kind::Foreign]);
}

#[test]
fn streams_may_be_wanted_by_their_type() {
    let wants = Wants::Type("Order");
    assert!(wants.includes("Order/a") && !wants.includes("Orders/a") && !wants.includes("Order"));
}
