//! Words that must not be found, in every form in which they might be written down.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What is searched for.
pub(super) struct Words {
    forms: Vec<(&'static str, Form)>,
}

/// A way to write a word.
enum Form {
    /// Upper and lower case are the same.
    Text(String),
    /// They are not.
    Exact(String),
}

impl Words {
    pub(super) fn new(words: &[&'static str]) -> Self {
        let forms = words.iter().flat_map(|word| forms(word).into_iter().map(|form| (*word, form)));
        Self { forms: forms.collect() }
    }

    /// Those that stand in a text, in whatever form.
    pub(super) fn within(&self, text: &str) -> Vec<&'static str> {
        let lower = text.to_lowercase();
        let stands = |form: &Form| match form {
            Form::Text(form) => lower.contains(form),
            Form::Exact(form) => text.contains(form),
        };
        let mut found: Vec<_> =
            self.forms.iter().filter(|(_, form)| stands(form)).map(|(word, _)| *word).collect();
        found.dedup();
        found
    }
}

fn forms(word: &str) -> Vec<Form> {
    let lower = word.to_lowercase();
    let mut forms = vec![Form::Text(lower.clone()), Form::Text(escaped(&lower))];
    forms.push(Form::Text(hex(&lower)));
    forms.push(Form::Text(hex(word)));
    forms.push(Form::Text(urls(word).to_lowercase()));
    for written in [word, &lower, &escaped(word)] {
        forms.extend(base64(written).into_iter().map(Form::Exact));
    }
    forms
}

/// As JSON has it where it keeps to ASCII.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            Ok(_) | Err(_) => write!(escaped, "\\u{unit:04x}").expect("a string takes all"),
        }
    }
    escaped
}

/// As `bytea` is shown.
fn hex(text: &str) -> String {
    let mut digits = String::new();
    for byte in text.bytes() {
        write!(digits, "{byte:02x}").expect("a string takes all");
    }
    digits
}

/// As a URL has it.
fn urls(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a string takes all");
        }
    }
    url
}

/// What of it stands in the base64 of anything that it is in, wherever in it.
fn base64(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3 {
        let bytes = [&b"\0\0"[..before], text.as_bytes()].concat();
        // The characters that also depend on what comes before or after are left out.
        let (from, to) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            all.push(encoded[from..to].to_owned());
        }
    }
    all
}

#[test]
fn a_word_is_found_in_every_form_and_nothing_else_is() {
    let words = Words::new(&["Zéphyrine", "+44 7700 909417"]);
    let in_json = serde_json::json!({ "name": "Zéphyrine" }).to_string();
    for text in [
        "dear ZÉPHYRINE,",
        &in_json,
        r#"{"name":"Z\u00e9phyrine Q."}"#,
        r"\x5ac3a97068797269", // not all of it
        r"\x00205ac3a970687972696e6520",
        "?name=Z%C3%A9phyrine&x",
        &STANDARD_NO_PAD.encode("to Zéphyrine"),
        &URL_SAFE_NO_PAD.encode("of Zéphyrine?>"),
        &STANDARD_NO_PAD.encode("1Zéphyrine"),
    ] {
        let wanted: &[&str] = if text.ends_with("7269") { &[] } else { &["Zéphyrine"] };
        assert_eq!(words.within(text), wanted, "{text}");
    }
    assert_eq!(words.within("call +44 7700 909417"), ["+44 7700 909417"]);
    assert_eq!(words.within("call +44 7700 909418, Zephyr"), [""; 0]);
}
