//! Content negotiation (RFC 9110 §12.5.1) between the two media types of GraphQL over HTTP.

use axum::http::{HeaderMap, header};

/// The media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status tells whether the operation was executed.
    GraphQl,
    /// `application/json`: whatever could be parsed as a request is answered with 200.
    Json,
}

impl MediaType {
    /// The value of the `Content-Type` header.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// What the client accepts; nothing when it accepts neither. Without an `Accept`, and for `*/*`, it is JSON,
    /// as the specification asks for clients of before it.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut ranges = headers.get_all(header::ACCEPT).iter().peekable();
        if ranges.peek().is_none() {
            return Some(Self::Json);
        }
        ranges
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(range)
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .map(|(media_type, _)| media_type)
    }
}

/// The media type that a range such as `application/json;q=0.5` stands for and its weight in thousandths.
fn range(text: &str) -> Option<(MediaType, u32)> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => MediaType::GraphQl,
        "application/json" | "application/*" | "*/*" => MediaType::Json,
        _ => return None,
    };
    let weight = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(Some(1_000), |(_, q)| thousandths(q.trim()))?;
    (weight > 0).then_some((media_type, weight))
}

fn thousandths(q: &str) -> Option<u32> {
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let fraction: u32 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let whole: u32 = whole.parse().ok()?;
    Some((whole.min(1) * 1_000 + fraction).min(1_000))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn negotiated(accept: &'static str) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        MediaType::negotiate(&headers)
    }

    #[test]
    fn the_heaviest_range_wins_and_the_first_of_equals() {
        assert_eq!(
            negotiated("application/graphql-response+json, application/json"),
            Some(MediaType::GraphQl)
        );
        assert_eq!(negotiated("application/json, application/graphql-response+json"), Some(MediaType::Json));
        assert_eq!(
            negotiated("application/json;q=0.5, application/graphql-response+json;q=0.9"),
            Some(MediaType::GraphQl)
        );
        assert_eq!(negotiated("application/graphql-response+json; charset=utf-8"), Some(MediaType::GraphQl));
    }

    #[test]
    fn who_takes_anything_or_says_nothing_gets_json() {
        assert_eq!(negotiated("*/*"), Some(MediaType::Json));
        assert_eq!(negotiated("text/html, */*;q=0.1"), Some(MediaType::Json));
        assert_eq!(MediaType::negotiate(&HeaderMap::new()), Some(MediaType::Json));
    }

    #[test]
    fn who_takes_neither_gets_none() {
        assert_eq!(negotiated("text/html"), None);
        assert_eq!(negotiated("application/json;q=0"), None);
        assert_eq!(negotiated(""), None);
    }
}
