//! Corrections.

use super::correct::nearest;

const WORDS: [&str; 6] = ["heart", "hanging", "lantern", "light", "white", "candleholder"];

#[track_caller]
fn check(typed: &str, meant: Option<&str>) {
    assert_eq!(nearest(typed, WORDS), meant, "{typed}");
}

#[test]
fn one_typo_is_corrected_whichever_it_is() {
    check("lantren", Some("lantern"));
    check("lanern", Some("lantern"));
    check("lanttern", Some("lantern"));
    check("lanfern", Some("lantern"));
}

#[test]
fn two_typos_are_corrected_in_long_words_only() {
    check("candelhlder", Some("candleholder"));
    check("hxxrt", None);
}

#[test]
fn short_words_and_strange_ones_stay_as_they_are() {
    check("lig", None);
    check("zebra", None);
}
