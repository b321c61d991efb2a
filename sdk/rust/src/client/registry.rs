//! The registry: who is here, what they can do, and what events mean.

use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;
use soorma_api::registry::{
    AgentItem, AgentList, AgentQuery, AgentRegistered, AgentRegistration, AgentView, AgentViews,
    AgentsInWords, EventDefined, EventItem, EventList, EventQuery, EventRegistration, Heartbeat, NewAgent,
    SchemaItem, SchemaList, SchemaQuery, SchemaRegistered, SchemaRegistration,
};
use soorma_api::{media, routes};
use soorma_core::Error;

use super::{Client, TIMEOUT};

impl Client {
    /// Registers an agent, or all of it anew. Its lease begins: without a [`heartbeat`](Self::heartbeat) it is expired when that is over.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn register_agent(&self, agent: NewAgent) -> Result<AgentRegistered, Error> {
        let body = AgentRegistration { agent };
        self.json(self.request(Method::POST, routes::AGENTS)?.json(&body)).await
    }

    /// Renews an agent's lease, and says how it is where `heartbeat` does.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn heartbeat(&self, id: &str, heartbeat: &Heartbeat) -> Result<AgentRegistered, Error> {
        self.json(self.at(Method::PUT, routes::AGENTS, &[id, "heartbeat"])?.json(heartbeat)).await
    }

    /// Removes an agent.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn deregister(&self, id: &str) -> Result<(), Error> {
        self.answer(self.at(Method::DELETE, routes::AGENTS, &[id])?).await.map(drop)
    }

    /// Returns an agent and how it is, also an expired one.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn agent(&self, id: &str) -> Result<AgentView, Error> {
        // By its id in the query: a path of the platform's own, such as `discover`, may be the id of an agent, too.
        let query =
            AgentQuery { agent_id: Some(id.to_owned()), include_expired: true, ..AgentQuery::default() };
        let missing = || Error::not_found(format!("Agent '{id}' not found"));
        // An empty id in a query asks for all.
        let found = self.agents_in_full(&query).await?.agents;
        found.into_iter().find(|view| view.agent.agent_id == id).ok_or_else(missing)
    }

    /// Lists agents, of each name the one that was heard last.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn agents(&self, query: &AgentQuery) -> Result<AgentList, Error> {
        self.json(self.request_at(routes::AGENTS, query)?.timeout(TIMEOUT)).await
    }

    /// Lists agents and how they are, every instance.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn agents_in_full(&self, query: &AgentQuery) -> Result<AgentViews, Error> {
        let query = Viewed { query, view: Some("full"), format: None };
        self.json(self.request_at(routes::AGENTS, &query)?.timeout(TIMEOUT)).await
    }

    /// Finds agents that are there to be asked, of each name the one that was heard last. With a `query` those that fit it best come first.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn discover(&self, query: &AgentQuery) -> Result<Vec<AgentItem>, Error> {
        let mut query = query.clone();
        let mut agents = Vec::new();
        loop {
            let list: AgentList =
                self.json(self.request_at(routes::DISCOVER, &query)?.timeout(TIMEOUT)).await?;
            agents.extend(list.agents);
            // A query that has a limit is for one page.
            match list.next_cursor {
                Some(next) if query.limit.is_none() => query.cursor = Some(next),
                _ => return Ok(agents),
            }
        }
    }

    /// Finds agents that are there to be asked, and says how they are, every instance. With a `query` those that fit it best come first, each
    /// with its score, and the answer says by what they are ranked.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn discover_in_full(&self, query: &AgentQuery) -> Result<AgentViews, Error> {
        let query = Viewed { query, view: Some("full"), format: None };
        self.json(self.request_at(routes::DISCOVER, &query)?.timeout(TIMEOUT)).await
    }

    /// Says in few words what agents can do and how they are asked for it, for a planner. With a `query` those that fit it best come first.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn discover_in_words(&self, query: &AgentQuery) -> Result<AgentsInWords, Error> {
        let query = Viewed { query, view: None, format: Some("llm") };
        let request = self.request_at(routes::DISCOVER, &query)?.header("accept", media::JSON);
        self.json(request.timeout(TIMEOUT)).await
    }

    /// Says what an event means. Its first topic stays, whoever says another later.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn define_event(&self, event: EventItem) -> Result<EventDefined, Error> {
        let body = EventRegistration { event };
        self.json(self.request(Method::POST, routes::EVENTS)?.json(&body)).await
    }

    /// Returns what an event means.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn event(&self, name: &str) -> Result<EventItem, Error> {
        // By its name in the query: a path of the platform's own, such as `publish`, may be the name of an event, too.
        let query = EventQuery { event_name: Some(name.to_owned()), ..EventQuery::default() };
        let missing = || Error::not_found(format!("Event '{name}' not found"));
        // An empty name in a query asks for all.
        let found = self.events(&query).await?.events;
        found.into_iter().find(|event| event.event_name == name).ok_or_else(missing)
    }

    /// Lists what was said of events.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn events(&self, query: &EventQuery) -> Result<EventList, Error> {
        self.json(self.request_at(routes::EVENTS, query)?.timeout(TIMEOUT)).await
    }

    /// Registers a schema; a name and version that are there are never changed.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn put_schema(&self, schema: SchemaItem) -> Result<SchemaRegistered, Error> {
        let body = SchemaRegistration { schema };
        self.json(self.request(Method::POST, routes::SCHEMAS)?.json(&body)).await
    }

    /// Returns a schema: of a version, or the one that was registered last.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn schema(&self, name: &str, version: Option<&str>) -> Result<SchemaItem, Error> {
        let request = match version {
            Some(version) => self.at(Method::GET, routes::SCHEMAS, &[name, "versions", version])?,
            None => self.at(Method::GET, routes::SCHEMAS, &[name])?,
        };
        self.json(request).await
    }

    /// Returns all versions of a schema, in the order in which they were registered.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn schema_versions(&self, name: &str) -> Result<SchemaList, Error> {
        let mut all = SchemaList { schemas: Vec::new(), count: 0, next_cursor: None };
        let mut query = SchemaQuery::default();
        loop {
            let url = self.address(routes::SCHEMAS, &[name, "versions"])?;
            let page: SchemaList = self.json(self.get(url, &query)?.timeout(TIMEOUT)).await?;
            all.schemas.extend(page.schemas);
            all.count = all.schemas.len();
            match page.next_cursor {
                Some(next) => query.cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Lists schemas, by name and then in the order in which they were registered.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn schemas(&self, query: &SchemaQuery) -> Result<SchemaList, Error> {
        self.json(self.request_at(routes::SCHEMAS, query)?.timeout(TIMEOUT)).await
    }

    /// A request to a path with names in it.
    pub(super) fn at(&self, method: Method, under: &str, names: &[&str]) -> Result<RequestBuilder, Error> {
        let url = self.address(under, names)?;
        Ok(self.sign(self.http.request(method, url).timeout(TIMEOUT)))
    }

    pub(super) fn address(&self, under: &str, names: &[&str]) -> Result<Url, Error> {
        // An address takes these for a way up.
        if let Some(name) = names.iter().find(|name| matches!(**name, "." | "..")) {
            return Err(Error::invalid(format!("'{name}' cannot stand in an address")));
        }
        let mut url = self.url(under)?;
        match url.path_segments_mut() {
            // What stands in a name is escaped, a slash too.
            Ok(mut segments) => drop(segments.extend(names)),
            Err(()) => return Err(Error::internal("the address of the platform takes no path")),
        }
        Ok(url)
    }
}

/// A query, and in which form its answer is to be.
#[derive(Serialize)]
struct Viewed<'a> {
    #[serde(flatten)]
    query: &'a AgentQuery,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
}
