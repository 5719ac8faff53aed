//! What an append and an import promise, for series of commands that nobody thought of, against a model in memory. A failing
//! series is made as small as it can be, and its seed is kept in `proptest-regressions`.

mod appends;
mod company;
mod crashes;
mod imports;
mod log;
mod model;
mod series;

use daybook_eventstore::Appended;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

/// Runs `test` with so many values of the strategy.
fn for_all<S: Strategy>(cases: u32, strategy: &S, mut test: impl AsyncFnMut(S::Value)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config { cases, source_file: Some(file!()), ..Config::default() };
    let test = std::cell::RefCell::new(&mut test);
    let ran = TestRunner::new(config).run(strategy, |value| {
        runtime.block_on((test.borrow_mut())(value));
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
