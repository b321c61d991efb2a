//! What a plan has at hand.

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use soorma_api::memory::{ChangeValue, Page, PlanCleared, SetValue};
use soorma_api::routes::memory as routes;
use soorma_core::{AnyJson, Error, WorkingKey, WorkingValue};

use super::{ClientMemory, there};

impl ClientMemory<'_> {
    /// Sets a value of a plan, whatever was there.
    ///
    /// # Errors
    /// When it does not become JSON; what the platform answered, or that it could not be reached.
    pub async fn store<T: Serialize + ?Sized>(
        &self,
        plan: &str,
        key: &str,
        value: &T,
    ) -> Result<WorkingValue, Error> {
        let value = AnyJson::from_value(value).map_err(|error| Error::invalid(format!("{key}: {error}")))?;
        let set = SetValue { value, ttl_seconds: None, if_revision: None, if_absent: false };
        self.set(plan, key, &set).await
    }

    /// Sets a value of a plan: for a time, or where it is as it must be.
    ///
    /// # Errors
    /// `conflict` where it is not; what the platform answered, or that it could not be reached.
    pub async fn set(&self, plan: &str, key: &str, set: &SetValue) -> Result<WorkingValue, Error> {
        self.sent(Method::PUT, routes::VALUE, &[plan, key], set).await
    }

    /// Returns a value of a plan, where there is one.
    ///
    /// # Errors
    /// When it is not of that type; what the platform answered, or that it could not be reached.
    pub async fn retrieve<T: DeserializeOwned>(&self, plan: &str, key: &str) -> Result<Option<T>, Error> {
        let read = |found: WorkingValue| {
            let value = found.value.parse();
            value.map_err(|error| {
                Error::invalid(format!("the value of {key} is not what was asked for: {error}"))
            })
        };
        self.value(plan, key).await?.map(read).transpose()
    }

    /// Returns a value of a plan as it stands there, where there is one.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn value(&self, plan: &str, key: &str) -> Result<Option<WorkingValue>, Error> {
        there(self.asked(Method::GET, routes::VALUE, &[plan, key]).await)
    }

    /// Changes a value of a plan in one step that no other comes between.
    ///
    /// # Errors
    /// `conflict` where it is not of the sort that is changed so, or not the one that must be there; what the platform answered, or that it
    /// could not be reached.
    pub async fn update(&self, plan: &str, key: &str, change: &ChangeValue) -> Result<WorkingValue, Error> {
        self.sent(Method::POST, routes::VALUE, &[plan, key], change).await
    }

    /// Removes a value of a plan; says whether it was there.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn delete(&self, plan: &str, key: &str) -> Result<bool, Error> {
        self.removed(routes::VALUE, &[plan, key]).await
    }

    /// Removes all values of a plan; says how many there were.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn clear_plan(&self, plan: &str) -> Result<u64, Error> {
        let cleared: PlanCleared = self.asked(Method::DELETE, routes::WORKING, &[plan]).await?;
        Ok(cleared.count_deleted)
    }

    /// Lists the keys of a plan that begin so, in their order, a page at a time.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn keys(
        &self,
        plan: &str,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Page<WorkingKey>, Error> {
        #[derive(Serialize)]
        struct Query<'a> {
            prefix: Option<&'a str>,
            cursor: Option<&'a str>,
        }
        let url = self.0.address(super::before_names(routes::WORKING), &[plan])?;
        let query = Query { prefix: Some(prefix).filter(|prefix| !prefix.is_empty()), cursor };
        self.0.json(self.0.get(url, &query)?.timeout(crate::client::TIMEOUT)).await
    }
}
