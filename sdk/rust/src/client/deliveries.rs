//! Settling deliveries.

use reqwest::Method;
use soorma_api::{Deliveries, Nack, Settled, routes};
use soorma_core::Error;

use super::Client;

impl Client {
    /// Acknowledges deliveries: they are done, and not handed out again. At most [`Deliveries::MAX`]; says which counted.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn ack(&self, ids: &[String]) -> Result<Settled, Error> {
        let body = Deliveries { ids: ids.to_vec() };
        self.json(self.request(Method::POST, routes::ACK)?.json(&body)).await
    }

    /// Gives deliveries back that have failed; says which counted.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn nack(&self, nack: &Nack) -> Result<Settled, Error> {
        self.json(self.request(Method::POST, routes::NACK)?.json(nack)).await
    }

    /// Has the time to settle deliveries begin anew; says which counted.
    ///
    /// # Errors
    /// What the platform answered, or that it could not be reached.
    pub async fn extend(&self, ids: &[String]) -> Result<Settled, Error> {
        let body = Deliveries { ids: ids.to_vec() };
        self.json(self.request(Method::POST, routes::EXTEND)?.json(&body)).await
    }
}
