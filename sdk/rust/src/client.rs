//! A platform that runs elsewhere, over HTTP and SSE.

mod deliveries;
mod frames;
mod groups;
mod memory;
mod registry;
mod stream;

pub use memory::{ClientMemory, MemoryOf, PlanWatch, Watched};
pub use stream::{EventStream, Explicit, Frame, StreamRequest};

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_api::{
    DeadLetterItem, DeadLetterPage, DeadLetterQuery, Handled, Health, Problem, Published, PublishedBatch,
    Selection, header, routes,
};
use soorma_core::{Error, ErrorCode, Event, Scope, TreeNode};

/// How long a request other than a stream may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Speaks to a platform.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    scope: Scope,
    agent_id: Option<String>,
    /// Marked as sensitive: it is shown to nobody.
    token: Option<HeaderValue>,
}

impl Client {
    /// Makes a client for a base address, such as `http://127.0.0.1:8080`. Nothing is sent yet. With https, who answers must have a
    /// certificate that this machine trusts.
    ///
    /// # Errors
    /// When it is no http or https address, or has a user or a password; or with https, when this machine trusts no certificate at all.
    pub fn new(base: &str) -> Result<Self, Error> {
        // What stands before an @ or behind a ? may be secret: such an address is not repeated.
        let shown = if base.contains(['@', '?']) { "the address".to_owned() } else { format!("'{base}'") };
        let wrong = |why: &str| {
            Error::invalid(format!("{shown} {why}; write it as http://HOST:PORT or https://HOST"))
        };
        let url: Url = base.parse().map_err(|_| wrong("is no address"))?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(wrong("is no http address"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("has a user or a password, and who is asking is said by a token"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a path, under which no platform answers"));
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            // A platform never says that it is elsewhere: whoever does shall not have the token.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // Without TLS the machine's root certificates are not looked for: that takes its time, and there may be none.
        let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let http = builder.build().map_err(|error| Error::internal(format!("cannot speak TLS: {error}")))?;
        Ok(Self { http, base: url, scope: Scope::default(), agent_id: None, token: None })
    }

    /// Says who it is, by a token that the platform verifies. Whom that names goes before [`scope`](Self::scope).
    ///
    /// # Errors
    /// When it is no token.
    pub fn token(mut self, token: &str) -> Result<Self, Error> {
        let token = token.trim();
        let wrong = || Error::invalid("the token is none: it is empty, or has what no token has");
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// Says on whose behalf it speaks; a platform that asks for no token takes this at its word.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Says as which instance of an agent it publishes: what answers these events goes to the stream of this `agent_id`, while that is open.
    #[must_use]
    pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }

    /// Publishes an event; when this returns it is durable. The same id may be sent again: it is published once.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn publish(&self, event: &Event) -> Result<Published, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            event: &'a Event,
        }
        self.json(self.request(Method::POST, routes::PUBLISH)?.json(&Body { event })).await
    }

    /// Publishes events, all or none; when this returns they are durable. At most [`PublishBatch::MAX`](soorma_api::PublishBatch::MAX).
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn publish_all(&self, events: &[Event]) -> Result<PublishedBatch, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            events: &'a [Event],
        }
        self.json(self.request(Method::POST, routes::BATCH)?.json(&Body { events })).await
    }

    /// Returns the supervision tree, down to a depth, at most `limit` children of each.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn tree(&self, depth: Option<usize>, limit: Option<usize>) -> Result<TreeNode, Error> {
        let query = soorma_api::TreeQuery { depth, limit };
        self.json(self.request_at(routes::TREE, &query)?.timeout(TIMEOUT)).await
    }

    /// Returns how the platform is.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn health(&self) -> Result<Health, Error> {
        self.json(self.request(Method::GET, routes::HEALTH)?).await
    }

    /// Lists dead letters, a page at a time.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<DeadLetterPage, Error> {
        self.json(self.request_at(routes::DEAD_LETTERS, query)?.timeout(TIMEOUT)).await
    }

    /// Returns one dead letter with its event.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn dead_letter(&self, id: u64) -> Result<DeadLetterItem, Error> {
        self.json(self.request(Method::GET, &routes::dead_letter(id))?).await
    }

    /// Gives dead letters back to their groups.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn redrive(&self, selection: &Selection) -> Result<Handled, Error> {
        self.json(self.request(Method::POST, routes::REDRIVE)?.json(selection)).await
    }

    /// Drops dead letters.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn discard(&self, selection: &Selection) -> Result<Handled, Error> {
        self.json(self.request(Method::POST, routes::DISCARD)?.json(selection)).await
    }

    pub(crate) fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|error| Error::internal(error.to_string()))
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Error> {
        Ok(self.sign(self.http.request(method, self.url(path)?).timeout(TIMEOUT)))
    }

    /// A GET with a query, without a time limit.
    fn request_at<Q: Serialize>(&self, path: &str, query: &Q) -> Result<RequestBuilder, Error> {
        self.get(self.url(path)?, query)
    }

    fn get<Q: Serialize>(&self, mut url: Url, query: &Q) -> Result<RequestBuilder, Error> {
        if let serde_json::Value::Object(query) =
            serde_json::to_value(query).map_err(|error| Error::internal(error.to_string()))?
        {
            let mut pairs = url.query_pairs_mut();
            for (key, value) in query {
                match value {
                    serde_json::Value::Null => {}
                    serde_json::Value::String(text) => drop(pairs.append_pair(&key, &text)),
                    other => drop(pairs.append_pair(&key, &other.to_string())),
                }
            }
        }
        Ok(self.sign(self.http.get(url)))
    }

    fn sign(&self, mut request: RequestBuilder) -> RequestBuilder {
        request = match &self.token {
            // It names the tenant.
            Some(token) => request.header(AUTHORIZATION, token),
            None => request.header(header::TENANT, self.scope.tenant.as_str()),
        };
        for (name, value) in
            [(header::SERVICE_TENANT, &self.scope.service_tenant), (header::USER, &self.scope.user)]
        {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        if let Some(agent_id) = &self.agent_id {
            request = request.header(header::AGENT_ID, agent_id);
        }
        request
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        self.read(self.answer(request).await?).await
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, Error> {
        // What is cut was lost on the way; only what came whole can be wrong.
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        serde_json::from_slice(&body).map_err(|error| {
            let base = self.base.as_str().trim_end_matches('/');
            Error::internal(format!("{base} answered something that is not understood: {error}"))
        })
    }

    /// Sends, and makes an error of every answer that is none of success.
    async fn answer(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(|error| self.lost(&error))?;
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(self.told(status, problem.into())),
            Err(_) => {
                let base = &self.base;
                Err(Error::new(
                    soorma_api::code_of(status.as_u16()),
                    format!(
                        "{base} answered {status}, and not in the words of Soorma: is it another program?"
                    ),
                ))
            }
        }
    }

    /// Says what to do where the platform says only what is wrong.
    fn told(&self, status: StatusCode, mut error: Error) -> Error {
        if status == StatusCode::UNAUTHORIZED {
            let base = self.base.as_str().trim_end_matches('/');
            let advice = match self.token {
                None => "give it a token with --token or SOORMA_TOKEN (Client::token)",
                Some(_) => "the token does not prove it: it may be over, or of another issuer",
            };
            error.message = format!("{base} wants to know who is asking ({}); {advice}", error.message);
        }
        error
    }

    fn lost(&self, error: &reqwest::Error) -> Error {
        let base = self.base.as_str().trim_end_matches('/');
        if error.is_timeout() {
            return Error::new(ErrorCode::Timeout, format!("{base} did not answer in time"));
        }
        if error.is_connect() {
            return Error::unavailable(format!(
                "nobody answers at {base}. Start a platform with `soorma dev`, or say where one is with --url"
            ));
        }
        Error::unavailable(format!("the connection to {base} was lost: {error}"))
    }
}
