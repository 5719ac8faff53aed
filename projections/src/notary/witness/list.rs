//! Which witnesses are asked, as the settings name them.

use daybook_eventstore::proof::{Signs, VerifyingKey};
use reqwest::Url;

/// The most witnesses there may be: with the log's own signature they are as many as every reader of notes must take.
const MOST: usize = 15;
/// What the URL of a witness is followed by.
const METHOD: &str = "add-checkpoint";

/// A witness: whose signature counts, and where it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAddress {
    pub(super) key: VerifyingKey,
    /// With the method.
    pub(super) url: Url,
}

impl WitnessAddress {
    /// Reads the key and the URL of each, with spaces between them all. What is wrong never repeats a URL, which may have a
    /// password.
    ///
    /// # Errors
    /// What it should be.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut witnesses: Vec<Self> = Vec::new();
        for pair in words.chunks(2) {
            let [key, url] = pair else { return Err("must have a URL after each key".to_owned()) };
            let witness = Self::parse(key, url)?;
            if witnesses.iter().any(|other| other.key.name() == witness.key.name()) {
                return Err(format!("names {} twice", witness.key.name()));
            }
            witnesses.push(witness);
        }
        if witnesses.len() > MOST { Err(format!("must be {MOST} witnesses at most")) } else { Ok(witnesses) }
    }

    fn parse(key: &str, url: &str) -> Result<Self, String> {
        let key: VerifyingKey = key.parse().map_err(|error| format!("a key in it {error}"))?;
        if key.signs() != Signs::Witness {
            return Err(format!("the key of {} is not a witness's", key.name()));
        }
        let wrong = || format!("the URL of {} must be such as https://witness.example/w1", key.name());
        let mut url = Url::parse(url).map_err(|_form| wrong())?;
        if !["http", "https"].contains(&url.scheme()) || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong());
        }
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().push(METHOD);
        Ok(Self { key, url })
    }
}

#[cfg(test)]
mod tests {
    use daybook_eventstore::proof::SigningKey;

    use super::*;

    fn key(name: &str, signs: Signs) -> String {
        SigningKey::of(name, signs, [8; 32]).expect("a key").verifying().to_string()
    }

    #[test]
    fn each_is_asked_under_its_own_url() {
        let (one, other) = (key("one.example", Signs::Witness), key("other.example", Signs::Witness));
        let text = format!("\n{one} https://one.example\n  {other} http://user:word@127.0.0.1:7380/w1/\n");
        let witnesses = WitnessAddress::list(&text).expect("two witnesses");
        let urls: Vec<&str> = witnesses.iter().map(|witness| witness.url.as_str()).collect();
        let expected =
            ["https://one.example/add-checkpoint", "http://user:word@127.0.0.1:7380/w1/add-checkpoint"];
        assert_eq!(urls, expected);
        assert_eq!(witnesses[1].key.to_string(), other);
        assert_eq!(WitnessAddress::list(" "), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_list_of_witnesses_is_told_of_and_never_shown() {
        let (witness, log) = (key("one.example", Signs::Witness), key("shop.example/log", Signs::Log));
        for (text, told) in [
            (witness.clone(), "must have a URL after each key"),
            (format!("https://hunter2 {witness}"), "a key in it must be a key"),
            (format!("{log} https://hunter2"), "the key of shop.example/log is not a witness's"),
            (format!("{witness} hunter2"), "the URL of one.example must be such as"),
            (format!("{witness} ftp://hunter2"), "the URL of one.example must be such as"),
            (format!("{witness} https://hunter2/?a"), "the URL of one.example must be such as"),
            (format!("{witness} https://a {witness} https://b"), "names one.example twice"),
        ] {
            let reason = WitnessAddress::list(&text).expect_err("it is wrong");
            assert!(reason.starts_with(told) && !reason.contains("hunter2"), "{reason}");
        }
        let one = |number| format!("{} https://a ", key(&format!("w{number}.example"), Signs::Witness));
        let many: String = (0..=MOST).map(one).collect();
        assert_eq!(WitnessAddress::list(&many), Err("must be 15 witnesses at most".to_owned()));
    }
}
