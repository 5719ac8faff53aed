//! What the API answered: data, a refusal, or a failure.

use std::io;

use serde_json::Value;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer came.
    #[error("the API does not answer")]
    Unreachable(#[source] io::Error),
    /// The answer is no GraphQL.
    #[error("the API answered {status}: {said}")]
    Unintelligible {
        /// The status code.
        status: u16,
        /// The beginning of what came.
        said: String,
    },
    /// The request failed.
    #[error("{message} ({code})")]
    Failed {
        /// The stable code.
        code: String,
        /// Why, for people.
        message: String,
    },
    /// The shop's rules refused it.
    #[error("refused: {message} ({code})")]
    Refused {
        /// The stable code.
        code: String,
        /// Why, for people.
        message: String,
    },
}

impl ApiError {
    /// The stable code, where the API gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Failed { code, .. } | Self::Refused { code, .. } => Some(code),
            Self::Unreachable(_) | Self::Unintelligible { .. } => None,
        }
    }
}

/// Whether an answer says nothing of errors. The member's name cannot stand in a text of the answer, where its
/// quotation marks would be escaped.
pub(super) fn is_faultless(body: &[u8]) -> bool {
    const ERRORS: &[u8] = br#""errors":"#;
    body.starts_with(b"{") && !body.windows(ERRORS.len()).any(|window| window == ERRORS)
}

/// The data of an answer that has no errors.
pub(super) fn data(body: &[u8]) -> Result<Value, ApiError> {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut answer) if answer["errors"].is_null() && answer["data"].is_object() => {
            Ok(answer["data"].take())
        }
        Ok(_) | Err(_) => Err(failure(200, body)),
    }
}

/// The payload of a mutation that was not refused.
pub(super) fn payload(body: &[u8]) -> Result<Value, ApiError> {
    let mut payload = data(body)?["result"].take();
    match payload["userErrors"].as_array_mut().and_then(Vec::pop) {
        None => Ok(payload),
        Some(error) => {
            Err(ApiError::Refused { code: text(&error["code"]), message: text(&error["message"]) })
        }
    }
}

/// What an answer that is no success says.
pub(super) fn failure(status: u16, body: &[u8]) -> ApiError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &answer["errors"][0];
    if error.is_object() {
        return ApiError::Failed {
            code: text(&error["extensions"]["code"]),
            message: text(&error["message"]),
        };
    }
    ApiError::Unintelligible { status, said: String::from_utf8_lossy(body).chars().take(200).collect() }
}

/// The text of a JSON string; nothing for anything else.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The minor units of an amount with two digits, such as `{"amount": "12.30"}`.
pub fn minor_units(money: &Value) -> Option<i64> {
    let (units, cents) = money["amount"].as_str()?.split_once('.')?;
    if cents.len() != 2 || units.starts_with('-') {
        return None;
    }
    units.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents.parse::<u8>().ok()?.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_comes_only_without_errors() {
        assert_eq!(data(br#"{"data":{"a":1}}"#).expect("data"), json!({ "a": 1 }));
        let failed = br#"{"data":{"a":null},"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}"#;
        assert_eq!(data(failed).expect_err("errors").code(), Some("FORBIDDEN"));
        assert!(!is_faultless(failed) && is_faultless(br#"{"data":{"userErrors":[]}}"#));
        assert!(matches!(data(b"busy"), Err(ApiError::Unintelligible { .. })));
    }

    #[test]
    fn a_refusal_is_told_by_its_code() {
        let refused = br#"{"data":{"result":{"userErrors":[{"code":"OUT","message":"none left"}]}}}"#;
        assert_eq!(payload(refused).expect_err("a refusal").to_string(), "refused: none left (OUT)");
        let done = br#"{"data":{"result":{"position":"7","userErrors":[]}}}"#;
        assert_eq!(payload(done).expect("a payload")["position"], "7");
    }

    #[test]
    fn an_amount_is_counted_in_minor_units() {
        assert_eq!(minor_units(&json!({ "amount": "12.30" })), Some(1_230));
        for other in [json!("12.3"), json!("12"), json!("-1.00"), json!("x.00"), json!(12)] {
            assert_eq!(minor_units(&json!({ "amount": other })), None);
        }
    }
}
