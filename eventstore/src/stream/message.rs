//! An event as a message: `CloudEvents` in binary mode, with what Daybook knows beyond that in headers of its own.
//! The body is the payload, byte for byte.
//!
//! A client parses every header into a map before anybody looks at one, which is most of what a message costs a
//! follower. So Daybook's own are three: words with a space between them.

use async_nats::header::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::subject::{escaped, unescaped};
use crate::event::{EventHash, Position, RecordedEvent};

const SPEC_VERSION: &str = "ce-specversion";
const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const TYPE: &str = "ce-type";
const TIME: &str = "ce-time";
const SUBJECT: &str = "ce-subject";
const CONTENT_TYPE: &str = "content-type";
const POSITION: &str = "Daybook-Position";
/// The log's epoch and the event's hash.
const LOG: &str = "Daybook-Log";
/// The aggregate's type, the event's sequence in its stream, its version and its metadata.
const EVENT: &str = "Daybook-Event";

/// A message of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// The epoch of the log it is from.
    pub(crate) epoch: Uuid,
    /// The event's position.
    pub(crate) position: Position,
    /// The event's hash.
    pub(crate) hash: EventHash,
    /// The event; nothing when it was too large for a message.
    pub(crate) event: Option<RecordedEvent>,
}

/// The message of an event: headers and body.
pub(crate) fn encode(epoch: Uuid, event: &RecordedEvent) -> (HeaderMap, Bytes) {
    let mut headers = place(epoch, event);
    let time = event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    headers.insert(SPEC_VERSION, "1.0");
    headers.insert(ID, event.event_id.to_string());
    headers.insert(SOURCE, format!("/daybook/{epoch}"));
    headers.insert(TYPE, value(&event.event_type));
    headers.insert(TIME, time);
    headers.insert(SUBJECT, value(&event.aggregate_id));
    headers.insert(CONTENT_TYPE, "application/json");
    let (aggregate, version) = (value(&event.aggregate_type), value(&event.event_version));
    let metadata = value(&event.metadata);
    headers.insert(EVENT, format!("{aggregate} {} {version} {metadata}", event.sequence));
    (headers, Bytes::copy_from_slice(event.payload.as_bytes()))
}

/// What stands in for an event that is too large for a message: where it is to be found.
pub(crate) fn encode_place(epoch: Uuid, event: &RecordedEvent) -> (HeaderMap, Bytes) {
    (place(epoch, event), Bytes::new())
}

/// The message with these headers and this body; nothing when it is not one of the relay's.
pub(crate) fn decode(headers: &HeaderMap, body: &[u8]) -> Option<Published> {
    let position = text(headers, POSITION)?.parse().ok()?;
    let (epoch, hash) = text(headers, LOG)?.split_once(' ')?;
    let event = match headers.get(EVENT) {
        Some(rest) => Some(decode_event(headers, rest.as_str(), body, position)?),
        None => None,
    };
    Some(Published {
        epoch: epoch.parse().ok()?,
        position,
        hash: EventHash(BASE64.decode(hash).ok()?.try_into().ok()?),
        event,
    })
}

fn place(epoch: Uuid, event: &RecordedEvent) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(POSITION, event.position.to_string());
    headers.insert(LOG, format!("{epoch} {}", BASE64.encode(event.hash().0)));
    headers
}

fn decode_event(headers: &HeaderMap, rest: &str, body: &[u8], position: Position) -> Option<RecordedEvent> {
    let owned = |name| text(headers, name).and_then(unescaped);
    let mut words = rest.splitn(4, ' ');
    let (aggregate_type, sequence) = (words.next()?, words.next()?);
    let (event_version, metadata) = (words.next()?, words.next()?);
    Some(RecordedEvent {
        position,
        event_id: text(headers, ID)?.parse().ok()?,
        aggregate_type: unescaped(aggregate_type)?,
        aggregate_id: owned(SUBJECT)?,
        sequence: sequence.parse().ok()?,
        event_type: owned(TYPE)?,
        event_version: unescaped(event_version)?,
        payload: String::from_utf8(body.to_vec()).ok()?,
        metadata: unescaped(metadata)?,
        recorded_at: DateTime::parse_from_rfc3339(text(headers, TIME)?).ok()?.with_timezone(&Utc),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(HeaderValue::as_str)
}

/// Text as `CloudEvents` has it in headers: printable ASCII, all else percent-encoded.
fn value(text: &str) -> String {
    escaped(text, |byte| byte.is_ascii_graphic() && byte != b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> RecordedEvent {
        RecordedEvent {
            position: 42,
            event_id: Uuid::from_u128(7),
            aggregate_type: "Thing".to_owned(),
            aggregate_id: "a b\r\n%41.*>\u{eb}".to_owned(),
            sequence: 3,
            event_type: "ThingHappened".to_owned(),
            event_version: "1".to_owned(),
            payload: "{ \"name\" :  \"Zo\u{eb}\",\n\"n\": 1.0 }".to_owned(),
            metadata: "{\"actor\": \"staff:\u{eb}\"}".to_owned(),
            recorded_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("a time"),
        }
    }

    #[test]
    fn an_event_comes_back_to_the_byte() {
        let (headers, body) = encode(Uuid::from_u128(9), &event());
        assert_eq!(body, event().payload.as_bytes());
        let published = decode(&headers, &body).expect("a message of ours");
        assert_eq!(published.hash, event().hash());
        assert_eq!(published.epoch, Uuid::from_u128(9));
        assert_eq!(published.event, Some(event()));
    }

    #[test]
    fn an_event_that_is_too_large_is_known_by_its_place() {
        let (headers, body) = encode_place(Uuid::from_u128(9), &event());
        let published = decode(&headers, &body).expect("a message of ours");
        assert_eq!((published.position, published.event), (42, None));
    }

    #[test]
    fn a_message_of_someone_else_is_none() {
        assert_eq!(decode(&HeaderMap::new(), b"{}"), None);
        let (mut headers, body) = encode(Uuid::from_u128(9), &event());
        headers.insert(LOG, format!("{} 00", Uuid::from_u128(9)));
        assert_eq!(decode(&headers, &body), None);
    }
}
