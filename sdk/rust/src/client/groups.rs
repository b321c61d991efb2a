//! Groups.

use reqwest::{Method, RequestBuilder};
use soorma_api::{GroupItem, GroupPage, GroupQuery, Seek, routes};
use soorma_core::Error;

use super::Client;

impl Client {
    /// Lists groups, a page at a time.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn groups(&self, query: &GroupQuery) -> Result<GroupPage, Error> {
        self.json(self.request_at(routes::GROUPS, query)?.timeout(super::TIMEOUT)).await
    }

    /// Returns how a group is.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn group(&self, name: &str) -> Result<GroupItem, Error> {
        self.json(self.at_group(Method::GET, name, "")?).await
    }

    /// Has a group hand out nothing until it is resumed; returns how it is then.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn pause(&self, name: &str) -> Result<GroupItem, Error> {
        self.json(self.at_group(Method::POST, name, ":pause")?).await
    }

    /// Has a paused group go on; returns how it is then.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn resume(&self, name: &str) -> Result<GroupItem, Error> {
        self.json(self.at_group(Method::POST, name, ":resume")?).await
    }

    /// Has a group go on from another place: `now`, `earliest`, or a position; returns how it is then.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn seek(&self, name: &str, to: impl Into<String>) -> Result<GroupItem, Error> {
        let body = Seek { to: to.into() };
        self.json(self.at_group(Method::POST, name, ":seek")?.json(&body)).await
    }

    /// Removes a group, with what it has in hand and its dead letters.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn remove_group(&self, name: &str) -> Result<(), Error> {
        self.answer(self.at_group(Method::DELETE, name, "")?).await.map(drop)
    }

    fn at_group(&self, method: Method, name: &str, verb: &str) -> Result<RequestBuilder, Error> {
        let mut url = self.url(routes::GROUPS)?;
        match url.path_segments_mut() {
            // What stands in a name is escaped, a slash too.
            Ok(mut segments) => drop(segments.push(&format!("{name}{verb}"))),
            Err(()) => return Err(Error::internal("the address of the platform takes no path")),
        }
        Ok(self.sign(self.http.request(method, url).timeout(super::TIMEOUT)))
    }
}
