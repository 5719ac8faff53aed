//! A version as servers and package lists print it, as far as it matters here: major and minor.

use std::fmt;

/// A version's first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number, zero where there is none.
    pub minor: u32,
}

impl Version {
    /// The version of these two numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The first version that a line of text names.
    pub fn find_in(line: &str) -> Option<Self> {
        let number = &line[line.find(|letter: char| letter.is_ascii_digit())?..];
        let end =
            number.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(number.len());
        let mut parts = number[..end].split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        Some(Self { major, minor })
    }

    /// The version within a Debian package version, which may begin with an epoch (`5:7.0.15-1`).
    pub fn of_package(version: &str) -> Option<Self> {
        Self::find_in(version.split_once(':').map_or(version, |(_, upstream)| upstream))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_says_its_version_in_its_own_way() {
        let found = |line| Version::find_in(line);
        assert_eq!(found("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(Version::new(15, 18)));
        assert_eq!(found("postgres (PostgreSQL) 17beta1"), Some(Version::new(17, 0)));
        assert_eq!(found("nats-server: v2.9.10"), Some(Version::new(2, 9)));
        assert_eq!(found("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc"), Some(Version::new(7, 0)));
        assert_eq!(found("no number here"), None);
    }

    #[test]
    fn an_epoch_is_not_the_version() {
        assert_eq!(Version::of_package("5:7.0.15-1~deb12u9"), Some(Version::new(7, 0)));
        assert_eq!(Version::of_package("15+248+deb12u1"), Some(Version::new(15, 0)));
        assert_eq!(Version::of_package("(none)"), None);
    }

    #[test]
    fn two_digits_are_more_than_one() {
        assert!(Version::new(2, 10) > Version::new(2, 9));
        assert!(Version::new(10, 0) > Version::new(9, 6));
    }
}
