//! What an author writes, in the form in which it is kept.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_core::Data;

use crate::ctx::Ctx;

/// Why a handler did not do its work. `?` makes a [`Fault::Failed`] from any error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be done: whoever asked is told, and the event is done with. Where nobody would hear of it (an event handler, a
    /// task without a `response_event`) it is tried again, and then a dead letter.
    Failed(String),
    /// It cannot be done now: the event is tried again.
    Retry {
        /// Why.
        cause: String,
        /// When; by the agent's limits where nothing is said.
        after: Option<Duration>,
    },
    /// The event is none that this agent can ever handle: a dead letter.
    Reject(String),
}

impl Fault {
    /// Makes a [`Fault::Failed`].
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// Makes a [`Fault::Retry`] at the usual time.
    pub fn retry(cause: impl Into<String>) -> Self {
        Self::Retry { cause: cause.into(), after: None }
    }
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// How the answer to a request is written (CONTRACT 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `{"request_id", "success", "result" | "error"}`, always sent.
    Tool,
    /// `{"task_id", "action_id", "status", "result" | "error"}`, sent when the request names an event for it.
    Task,
    /// None.
    Event,
}

/// What a handler came to: what it returned, or a fault.
pub(crate) type Outcome = Result<Option<serde_json::Value>, Fault>;

type Call = Arc<dyn Fn(Ctx) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// A handler with its types taken away.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) style: Style,
    /// The answer's event type where the request names none.
    pub(crate) default_response: Option<String>,
    call: Call,
}

impl Handler {
    pub(crate) fn new<T, R, F, Fut>(style: Style, default_response: Option<String>, handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(T, Ctx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        let call = move |ctx: Ctx| -> BoxFuture<'static, Outcome> {
            let data = match ctx.event().data.as_ref() {
                Some(data) => data.parse::<T>(),
                None => Data::from_json("{}").and_then(|empty| empty.parse()),
            };
            match data {
                Err(error) => {
                    let kind = ctx.event().kind.clone();
                    Box::pin(async move { Err(unreadable(&kind, &error.to_string(), style)) })
                }
                Ok(data) => {
                    let answer = handler(data, ctx);
                    Box::pin(async move {
                        let answer = serde_json::to_value(answer.await?).map_err(|error| {
                            Fault::Failed(format!("the result cannot be written as JSON: {error}"))
                        })?;
                        Ok(Some(answer).filter(|_| style != Style::Event))
                    })
                }
            }
        };
        Self { style, default_response, call: Arc::new(call) }
    }

    pub(crate) fn call(&self, ctx: Ctx) -> BoxFuture<'static, Outcome> {
        (self.call)(ctx)
    }
}

/// A payload that does not fit will fit no better the next time: the asker is told; where nobody asks, it is a dead letter.
fn unreadable(kind: &str, error: &str, style: Style) -> Fault {
    let why = format!("the data of {kind} is not what this agent takes: {error}");
    match style {
        Style::Tool | Style::Task => Fault::Failed(why),
        Style::Event => Fault::Reject(why),
    }
}
