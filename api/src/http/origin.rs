//! Where a request comes from in a larger story: its correlation id and W3C trace context, taken over or begun.

use axum::http::HeaderMap;
use daybook_eventstore::trace_id;
use uuid::Uuid;

/// The header that carries the correlation id, in and out.
pub(super) const CORRELATION_ID: &str = "x-correlation-id";

/// What a request is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// What all that follows from the request has in common.
    pub(super) correlation_id: Uuid,
    /// The W3C trace context.
    pub(super) traceparent: String,
}

impl Origin {
    /// What these headers say; what they leave open begins with `new_id`.
    pub(super) fn of(headers: &HeaderMap, new_id: Uuid) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let traceparent = text("traceparent").filter(|value| is_traceparent(value));
        let correlation_id = text(CORRELATION_ID)
            .or_else(|| text("x-request-id"))
            .and_then(|value| Uuid::parse_str(value).ok())
            .or_else(|| traceparent.and_then(trace_as_id))
            .unwrap_or(new_id);
        let traceparent = traceparent.map_or_else(
            // The last half of a UUIDv7 is random (RFC 9562), as a span's id is to be.
            || format!("00-{:032x}-{:016x}-01", correlation_id.as_u128(), new_id.as_u64_pair().1),
            str::to_owned,
        );
        Self { correlation_id, traceparent }
    }

    /// The id of the trace.
    pub(super) fn trace_id(&self) -> &str {
        trace_id(&self.traceparent).unwrap_or_default()
    }
}

fn trace_as_id(traceparent: &str) -> Option<Uuid> {
    Uuid::try_parse(trace_id(traceparent)?).ok()
}

/// Whether the value is a trace context of version 00 (W3C Trace Context §3.2.2) that is not all zeros.
fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    matches!(parts.as_slice(), ["00", trace, span, flags]
        if hex(trace, 32) && hex(span, 16) && hex(flags, 2)
            && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NEW: Uuid = Uuid::from_u128(0x019a_a5b2_7400_7000_8000_0000_0000_0007);
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn origin(headers: &[(&'static str, &'static str)]) -> Origin {
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        Origin::of(&headers.collect(), NEW)
    }

    #[test]
    fn a_trace_is_carried_on_and_is_the_correlation_when_there_is_no_other() {
        let carried = origin(&[("traceparent", TRACE)]);
        assert_eq!(carried.traceparent, TRACE);
        assert_eq!(carried.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(carried.correlation_id, Uuid::from_u128(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
    }

    #[test]
    fn the_clients_own_correlation_id_comes_first() {
        let id = "11111111-1111-4111-8111-111111111111";
        let named = origin(&[("traceparent", TRACE), (CORRELATION_ID, id)]);
        assert_eq!(named.correlation_id.to_string(), id);
    }

    #[test]
    fn without_either_or_with_nonsense_a_story_begins() {
        for headers in [&[][..], &[("traceparent", "00-0-0-0"), (CORRELATION_ID, "'; drop")]] {
            let begun = origin(headers);
            assert_eq!(begun.correlation_id, NEW);
            assert!(is_traceparent(&begun.traceparent), "{}", begun.traceparent);
        }
    }
}
