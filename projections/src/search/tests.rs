//! Corrections, and how many hits there are.

use super::SearchRequest;
use super::correct::nearest;
use super::meili::total;

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

#[test]
fn a_page_that_is_not_full_is_the_last_whatever_the_engine_estimates() {
    let page = |offset, first| SearchRequest { first, offset, ..SearchRequest::default() };
    assert_eq!(total(Some(30), &page(0, 10), 10), 30);
    assert_eq!(total(Some(30), &page(0, 100), 29), 29);
    assert_eq!(total(Some(30), &page(20, 10), 4), 24);
    assert_eq!(total(Some(30), &page(20, 10), 0), 20);
    assert_eq!(total(None, &page(20, 10), 10), 30);
}
