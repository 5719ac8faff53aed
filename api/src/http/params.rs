//! The parameters of a GraphQL request, from a JSON body or a query string. Strict: what is not of the right type is
//! a bad request, never a guess.

use async_graphql::Variables;
use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;

/// A GraphQL request's parameters.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Params {
    /// The document.
    #[serde(default)]
    pub(super) query: Option<String>,
    /// Which of its operations.
    #[serde(default, rename = "operationName")]
    pub(super) operation_name: Option<String>,
    /// The variables.
    #[serde(default)]
    pub(super) variables: Option<Object<Variables>>,
    /// Not used, but it must be an object.
    #[serde(default, rename = "extensions")]
    _extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A value that was written as an object and as nothing else.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de> Deserialize<'de> for Object<Variables> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `Variables` itself takes an object or null, and null is `None` before it comes here.
        Variables::deserialize(deserializer).map(Self)
    }
}

/// What is wrong with a request's parameters, for whoever sent them.
pub(super) type Invalid = String;

impl Params {
    /// From a JSON body.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, Invalid> {
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err("batches are not supported: send each operation as a request of its own".to_owned());
        }
        serde_json::from_slice(body).map_err(|error| format!("the body is not a GraphQL request: {error}"))
    }

    /// From a query string, in which `variables` and `extensions` are JSON.
    pub(super) fn from_uri(uri: &Uri) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Text {
            query: Option<String>,
            operation_name: Option<String>,
            variables: Option<String>,
            extensions: Option<String>,
        }
        let Query(text) = Query::<Text>::try_from_uri(uri)
            .map_err(|_| "the query string is not a GraphQL request".to_owned())?;
        let invalid = |name: &'static str| move |error| format!("{name} is not a JSON object: {error}");
        let variables = text.variables.as_deref().map(serde_json::from_str).transpose();
        let extensions = text.extensions.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            query: text.query,
            operation_name: text.operation_name.filter(|name| !name.is_empty()),
            variables: variables.map_err(invalid("variables"))?.flatten(),
            _extensions: extensions.map_err(invalid("extensions"))?.flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Params, Invalid> {
        Params::from_json(text.as_bytes())
    }

    #[test]
    fn parameters_may_be_null() {
        let text = r#"{"query":"{a}","variables":null,"operationName":null,"extensions":null}"#;
        assert!(json(text).is_ok_and(|params| params.query.as_deref() == Some("{a}")));
    }

    #[test]
    fn parameters_of_another_type_are_refused() {
        for text in [
            "",
            "1",
            "[]",
            r#"[{"query":"{a}"}]"#,
            r#"{"query":1}"#,
            r#"{"query":["{a}"]}"#,
            "{\"not a JSON",
            r#"{"query":"{a}","variables":"x"}"#,
            r#"{"query":"{a}","variables":["x"]}"#,
            r#"{"query":"{a}","variables":0}"#,
            r#"{"query":"{a}","extensions":[1]}"#,
            r#"{"query":"{a}","extensions":false}"#,
            r#"{"query":"{a}","operationName":{}}"#,
        ] {
            assert!(json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_query_string_carries_json() {
        let uri = "/graphql?query=%7Ba%7D&variables=%7B%22x%22%3A1%7D".parse().expect("a uri");
        let params = Params::from_uri(&uri).expect("parameters");
        assert_eq!(params.variables.map(|variables| variables.0.len()), Some(1));
        assert!(Params::from_uri(&"/graphql?variables=[1]".parse().expect("a uri")).is_err());
    }
}
