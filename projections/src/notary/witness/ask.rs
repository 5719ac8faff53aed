//! Asking a witness over HTTP, within bounds of time and size.

use std::time::Duration;

use daybook_eventstore::proof::AddCheckpoint;
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};

use super::error::Failed;

/// How long a witness may take to be reached, and to answer.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);
/// The most bytes that an answer may have.
const MAX_BYTES: usize = 1 << 16;

/// What a witness answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Lines with its signatures, which nobody has looked at yet.
    Signed(String),
    /// That it signed a checkpoint of so many events last.
    Elsewhere(u64),
}

/// What asks. Cloning shares its connections.
#[derive(Debug, Clone)]
pub(super) struct Client(reqwest::Client);

impl Client {
    pub(super) fn try_new() -> Result<Self, reqwest::Error> {
        let client =
            reqwest::Client::builder().connect_timeout(CONNECT).timeout(ANSWER).redirect(Policy::none());
        client.build().map(Self)
    }

    /// Asks the witness at this URL.
    pub(super) async fn ask(&self, url: &Url, asked: &AddCheckpoint) -> Result<Answer, Failed> {
        let response = self.0.post(url.clone()).body(asked.to_string()).send().await;
        let response = response.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => text(response).await.map(Answer::Signed),
            StatusCode::CONFLICT => {
                let size = text(response).await?;
                size.trim_end().parse().map(Answer::Elsewhere).map_err(|_digits| Failed::Garbled)
            }
            StatusCode::UNPROCESSABLE_ENTITY => Err(Failed::Inconsistent),
            status => Err(Failed::Refused { status }),
        }
    }
}

/// The answer's body, as far as an answer may go.
async fn text(mut response: Response) -> Result<String, Failed> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(unreachable)? {
        if body.len() + part.len() > MAX_BYTES {
            return Err(Failed::Garbled);
        }
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).map_err(|_bytes| Failed::Garbled)
}

/// The URL may have a password.
fn unreachable(error: reqwest::Error) -> Failed {
    Failed::Unreachable(error.without_url())
}
