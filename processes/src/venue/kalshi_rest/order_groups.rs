//! Order groups: a brake at the venue itself, which works although we may be mad, slow or dead.

use super::super::error::VenueError;
use super::super::pace::DEFAULT_COST;
use super::KalshiRest;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

const PATH: &str = "/portfolio/order_groups";

#[derive(Deserialize)]
struct Created {
    order_group_id: String,
}

impl KalshiRest {
    /// Opens a group on a shard that lets so many contracts trade within 15 s; its id.
    pub async fn create_order_group(
        &self,
        contracts: u32,
        exchange_index: u32,
    ) -> Result<String, VenueError> {
        let path = format!("{PATH}/create");
        let body = json!({ "contracts_limit": contracts, "exchange_index": exchange_index });
        let made = self.change(
            Method::POST,
            &path,
            &[],
            Some(body.to_string()),
            DEFAULT_COST,
        );
        let made: Created =
            serde_json::from_str(&made.await?).map_err(|error| VenueError::Malformed {
                request: format!("POST {path}"),
                reason: error.to_string(),
            })?;
        Ok(made.order_group_id)
    }

    /// Changes how many contracts a group lets trade within 15 s; it may be triggered by that at once.
    pub async fn limit_order_group(
        &self,
        id: &str,
        exchange_index: u32,
        contracts: u32,
    ) -> Result<(), VenueError> {
        let body = json!({ "contracts_limit": contracts }).to_string();
        let path = format!("{PATH}/{id}/limit");
        self.on_group(Method::PUT, &path, exchange_index, body)
            .await
    }

    /// Cancels what rests of a group, and lets none of its orders pass.
    pub async fn trigger_order_group(
        &self,
        id: &str,
        exchange_index: u32,
    ) -> Result<(), VenueError> {
        let path = format!("{PATH}/{id}/trigger");
        self.on_group(Method::PUT, &path, exchange_index, "{}".into())
            .await
    }

    /// Lets a group's orders pass again, with nothing counted.
    pub async fn reset_order_group(&self, id: &str, exchange_index: u32) -> Result<(), VenueError> {
        let path = format!("{PATH}/{id}/reset");
        self.on_group(Method::PUT, &path, exchange_index, "{}".into())
            .await
    }

    /// Cancels what rests of a group, and ends it.
    pub async fn delete_order_group(
        &self,
        id: &str,
        exchange_index: u32,
    ) -> Result<(), VenueError> {
        let path = format!("{PATH}/{id}");
        self.on_group(Method::DELETE, &path, exchange_index, String::new())
            .await
    }

    async fn on_group(
        &self,
        method: Method,
        path: &str,
        exchange_index: u32,
        body: String,
    ) -> Result<(), VenueError> {
        let index = exchange_index.to_string();
        let query = [("exchange_index", index.as_str())];
        let body = (!body.is_empty()).then_some(body);
        let done = self.change(method, path, &query, body, DEFAULT_COST);
        done.await.map(drop)
    }
}
