//! The file's names of countries, as ISO 3166-1 codes.

use daybook_domain::CountryCode;

/// Codes beginning with `X` are for users to assign (ISO 3166-1, 8.1.3): `XU` is a country that was not specified,
/// `XE` the European Community. `XC` is the Channel Islands, which are two (`GG` and `JE`), and the file does not say
/// which.
const COUNTRIES: &[(&str, &str)] = &[
    ("Australia", "AU"),
    ("Austria", "AT"),
    ("Bahrain", "BH"),
    ("Belgium", "BE"),
    ("Brazil", "BR"),
    ("Canada", "CA"),
    ("Channel Islands", "XC"),
    ("Cyprus", "CY"),
    ("Czech Republic", "CZ"),
    ("Denmark", "DK"),
    ("EIRE", "IE"),
    ("European Community", "XE"),
    ("Finland", "FI"),
    ("France", "FR"),
    ("Germany", "DE"),
    ("Greece", "GR"),
    ("Hong Kong", "HK"),
    ("Iceland", "IS"),
    ("Israel", "IL"),
    ("Italy", "IT"),
    ("Japan", "JP"),
    ("Lebanon", "LB"),
    ("Lithuania", "LT"),
    ("Malta", "MT"),
    ("Netherlands", "NL"),
    ("Norway", "NO"),
    ("Poland", "PL"),
    ("Portugal", "PT"),
    ("RSA", "ZA"),
    ("Saudi Arabia", "SA"),
    ("Singapore", "SG"),
    ("Spain", "ES"),
    ("Sweden", "SE"),
    ("Switzerland", "CH"),
    ("USA", "US"),
    ("United Arab Emirates", "AE"),
    ("United Kingdom", "GB"),
    ("Unspecified", "XU"),
];

/// The code of the country with this name.
pub(super) fn find(name: &str) -> Option<CountryCode> {
    let (_, code) = COUNTRIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    CountryCode::try_new(*code).ok()
}

#[cfg(test)]
mod tests {
    use super::{COUNTRIES, find};

    #[test]
    fn every_country_has_a_code() {
        for (name, code) in COUNTRIES {
            assert_eq!(find(name).expect("a valid code").as_str(), *code);
        }
        assert_eq!(find("eire").expect("a country").as_str(), "IE");
        assert_eq!(find("Atlantis"), None);
    }
}
