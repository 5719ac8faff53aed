//! What an append and an import promise, for series of commands that nobody thought of, against a model in memory. A failing
//! series is made as small as it can be, and its seed is kept in `proptest-regressions`.

mod appends;
mod company;
mod crashes;
mod imports;
mod log;
mod model;
mod series;
mod turns;

use std::cell::RefCell;

use daybook_eventstore::Appended;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

/// Runs `test` with so many values of the strategy, each under a number of its own, on what is made once for all of them.
fn for_all<S: Strategy, T>(
    cases: u32,
    strategy: &S,
    make: impl AsyncFnOnce() -> T,
    test: impl AsyncFnMut(&mut T, u128, S::Value),
) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config { cases, source_file: Some(file!()), ..Config::default() };
    let state = RefCell::new((runtime.block_on(make()), 0, test));
    let ran = TestRunner::new(config).run(strategy, |value| {
        let (fixture, number, test) = &mut *state.borrow_mut();
        *number += 1;
        runtime.block_on(test(fixture, *number, value));
        Ok(())
    });
    ran.unwrap_or_else(|failed| panic!("{failed}"));
}

/// The position and the version that a command reached, now or before.
fn place(outcome: &Appended) -> (i64, i64) {
    let (Appended::Done { position, version } | Appended::Replayed { position, version, .. }) = outcome
    else {
        panic!("neither done nor done before: {outcome:?}")
    };
    (*position, *version)
}
