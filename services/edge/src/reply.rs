//! How answers and problems are said.

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_api::{PROBLEM_MEDIA_TYPE, Problem, media};
use soorma_core::{Error, ErrorCode, Name};

/// A problem on its way out. Boxed, since answers that are none should not carry its size.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Problem>);

impl Refusal {
    /// Adds what to do to a problem of a status.
    pub(crate) fn hint_at(mut self, status: u16, hint: &str) -> Self {
        if self.0.status == status {
            self.0.detail.push_str("; ");
            self.0.detail.push_str(hint);
        }
        self
    }

    #[cfg(test)]
    pub(crate) fn into_problem(self) -> Problem {
        *self.0
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = *self.0;
        if problem.code == ErrorCode::Internal {
            tracing::error!(detail = %problem.detail, "request failed");
        }
        let mut response = json_as(&problem, PROBLEM_MEDIA_TYPE);
        *response.status_mut() =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(seconds) = problem.retry_after_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Answers 200 with a value.
pub(crate) fn json<T: Serialize>(value: &T) -> Response {
    json_as(value, media::JSON)
}

/// Answers 201 with a value.
pub(crate) fn created<T: Serialize>(value: &T) -> Response {
    let mut response = json(value);
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}

/// Answers 204. The published services say that nothing is JSON.
pub(crate) fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(header::CONTENT_TYPE, media::JSON)], Body::empty()).into_response()
}

/// Answers 200 with a text that is JSON.
pub(crate) fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, media::JSON)], Body::from(text)).into_response()
}

/// Writes a value that is to stand within an answer.
pub(crate) fn json_within<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        tracing::error!(%error, "answer cannot be written");
        "null".to_owned()
    })
}

/// Returns the beginning of a text that somebody sent, enough to recognise it.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(Name::MAX_BYTES) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn json_as<T: Serialize>(value: &T, media_type: &'static str) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, media_type)], Body::from(body)).into_response(),
        Err(error) => {
            tracing::error!(%error, "answer cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The part of the path that names something.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejection) => Err(Problem::new(ErrorCode::Invalid, rejection.body_text()).into()),
        }
    }
}

/// The two parts of the path that name something.
#[derive(Debug)]
pub(crate) struct NamedTwice(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for NamedTwice {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path((one, two))) => Ok(Self(one, two)),
            Err(rejection) => Err(Problem::new(ErrorCode::Invalid, rejection.body_text()).into()),
        }
    }
}

/// Reads the query of a request.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    match Query::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Problem::new(ErrorCode::Invalid, rejection.body_text()).into()),
    }
}
