//! A client of the public GraphQL API, as any shop's software would be: it knows the API's address, says who it
//! is with a development token, and never reaches around the API to a server behind it.

mod answer;
mod shop;
mod token;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

pub use answer::{ApiError, minor_units, text};
pub use shop::Shop;
pub use token::{Role, Token};

use wire::Wire;

/// A GraphQL document, made ready to be sent many times.
#[derive(Debug, Clone)]
pub struct Document {
    /// The request's body up to the variables.
    head: String,
}

impl Document {
    /// The document with this text. Of a mutation, the field it asks for is called `result`.
    pub fn new(text: &str) -> Self {
        let text: Vec<_> = text.split_whitespace().collect();
        Self { head: format!(r#"{{"query":{},"variables":"#, Value::from(text.join(" "))) }
    }
}

/// One client on one connection, which is kept open. It does one thing at a time.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    authorization: String,
    wire: Option<Wire>,
    body: Vec<u8>,
    request: Vec<u8>,
}

impl Client {
    /// A client of the API on this port of our own machine, who is whoever the token says, or nobody.
    pub fn new(port: u16, token: Option<&Token>) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let authorization =
            token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        Self { address, authorization, wire: None, body: Vec::new(), request: Vec::new() }
    }

    /// Asks a query and returns its data.
    pub fn query(&mut self, document: &Document, variables: &Value) -> Result<Value, ApiError> {
        answer::data(self.send(document, variables, None)?)
    }

    /// Asks a query and only looks whether it was answered. Returns how many bytes came.
    pub fn query_unread(&mut self, document: &Document, variables: &Value) -> Result<usize, ApiError> {
        let body = self.send(document, variables, None)?;
        if answer::is_faultless(body) { Ok(body.len()) } else { answer::data(body).map(|_| body.len()) }
    }

    /// Does a mutation, under an idempotency key if there is one, and returns its payload.
    pub fn mutate(
        &mut self,
        document: &Document,
        variables: &Value,
        key: Option<&str>,
    ) -> Result<Value, ApiError> {
        answer::payload(self.send(document, variables, key)?)
    }

    /// Sends one request and returns the body of the answer. What goes wrong on the connection ends it: whether a
    /// request took effect is then not known, so it is never sent again by itself.
    fn send(&mut self, document: &Document, variables: &Value, key: Option<&str>) -> Result<&[u8], ApiError> {
        self.write_request(document, variables, key);
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::connect(self.address).map_err(ApiError::Unreachable)?,
        };
        let reply = wire.exchange(&self.request).map_err(ApiError::Unreachable)?;
        let body = self.wire.insert(wire).body();
        if reply.is_success() { Ok(body) } else { Err(answer::failure(reply.status, body)) }
    }

    fn write_request(&mut self, document: &Document, variables: &Value, key: Option<&str>) {
        self.body.clear();
        self.body.extend_from_slice(document.head.as_bytes());
        self.body.extend_from_slice(variables.to_string().as_bytes());
        self.body.push(b'}');
        let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
             {}{key}content-length: {}\r\n\r\n",
            self.address,
            self.authorization,
            self.body.len()
        );
        self.request.clear();
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(&self.body);
    }
}

/// An amount of money as the API takes it.
pub fn money(amount: &str, currency: &str) -> Value {
    json!({ "amount": amount, "currencyCode": currency })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_sent_on_one_line_with_its_variables() {
        let mut client = Client::new(1, None);
        client.write_request(&Document::new("{\n  shop\n}"), &json!({ "a": "\"" }), Some("k"));
        let request = String::from_utf8(client.request).expect("text");
        let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(body, r#"{"query":"{ shop }","variables":{"a":"\""}}"#);
        assert!(head.contains("\r\nidempotency-key: k\r\n"));
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
    }

    #[test]
    fn where_nobody_listens_the_api_is_unreachable() {
        let port = crate::ports::Ports::default().take("nobody").expect("a free port");
        let asked = Client::new(port, None).query(&Document::new("{shop}"), &Value::Null);
        assert!(matches!(asked, Err(ApiError::Unreachable(_))));
    }
}
