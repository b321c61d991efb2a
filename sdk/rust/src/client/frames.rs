//! The frames of a stream, as they come.

use std::collections::VecDeque;

use reqwest::Response;
use soorma_core::Error;

use crate::sse::{Parser, Raw};

#[derive(Debug)]
pub(super) struct Frames {
    response: Response,
    parser: Parser,
    read: VecDeque<Raw>,
}

impl Frames {
    pub(super) fn new(response: Response) -> Self {
        Self { response, parser: Parser::default(), read: VecDeque::new() }
    }

    /// Waits for the next one; `None` when the stream has ended. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Raw>, Error> {
        loop {
            if let Some(raw) = self.read.pop_front() {
                return Ok(Some(raw));
            }
            let lost = |error: reqwest::Error| Error::unavailable(format!("the stream was cut: {error}"));
            let Some(bytes) = self.response.chunk().await.map_err(lost)? else { return Ok(None) };
            let Some(raws) = self.parser.feed(&bytes) else {
                return Err(Error::internal("the stream has a line that is longer than any event"));
            };
            self.read.extend(raws);
        }
    }
}

/// Says that a frame is not what it should be.
pub(super) fn wrong(error: serde_json::Error) -> Error {
    Error::internal(format!("the stream has a frame that cannot be read: {error}"))
}
