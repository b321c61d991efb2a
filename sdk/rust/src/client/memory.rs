//! Memory, of the tenant, service tenant and user that a client speaks for.

mod learnt;
mod upkeep;
mod watch;
mod work;
mod working;

pub use upkeep::MemoryOf;
pub use watch::{PlanWatch, Watched};

use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_api::header;
use soorma_core::{Error, ErrorCode, RankedBy};
use soorma_ports::Found;

use super::{Client, TIMEOUT};

/// What a client knows of memory: see [`Client::memory`].
#[derive(Debug, Clone, Copy)]
pub struct ClientMemory<'c>(&'c Client);

impl Client {
    /// Returns the memory of whoever it speaks for: by its token, or by its [`scope`](Self::scope), where no token is asked for.
    pub const fn memory(&self) -> ClientMemory<'_> {
        ClientMemory(self)
    }
}

impl ClientMemory<'_> {
    /// A request to a route, with names where its path has braces.
    fn at(&self, method: Method, route: &str, names: &[&str]) -> Result<RequestBuilder, Error> {
        self.0.at(method, before_names(route), names)
    }

    async fn asked<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        names: &[&str],
    ) -> Result<T, Error> {
        self.0.json(self.at(method, route, names)?).await
    }

    async fn sent<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        names: &[&str],
        body: &B,
    ) -> Result<T, Error> {
        self.0.json(self.at(method, route, names)?.json(body)).await
    }

    async fn listed<Q: Serialize, T: DeserializeOwned>(&self, route: &str, query: &Q) -> Result<T, Error> {
        self.0.json(self.0.request_at(route, query)?.timeout(TIMEOUT)).await
    }

    async fn found<Q: Serialize, T: DeserializeOwned>(
        &self,
        route: &str,
        query: &Q,
    ) -> Result<Found<T>, Error> {
        let (by, items) = self.array(route, query, header::RANKED_BY).await?;
        let by = by.and_then(|by| by.parse().ok()).unwrap_or(RankedBy::Meaning);
        Ok(Found { by, items })
    }

    /// A list that is a bare array, and what a header says of it.
    async fn array<Q: Serialize, T: DeserializeOwned>(
        &self,
        route: &str,
        query: &Q,
        header: &str,
    ) -> Result<(Option<String>, Vec<T>), Error> {
        let response = self.0.answer(self.0.request_at(route, query)?.timeout(TIMEOUT)).await?;
        let said = response.headers().get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok((said, self.0.read(response).await?))
    }

    /// Removes something; says whether it was there.
    async fn removed(&self, route: &str, names: &[&str]) -> Result<bool, Error> {
        let removed = self.0.answer(self.at(Method::DELETE, route, names)?).await;
        Ok(there(removed.map(drop))?.is_some())
    }
}

/// What is not there is nothing.
fn there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Returns the path of a route up to the names in it, which all stand at its end.
fn before_names(route: &str) -> &str {
    route.split_once("/{").map_or(route, |(before, _)| before)
}
