//! An answer over REST, and the three shapes of the venue's errors.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Status and body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// A body of JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            body: body.to_string(),
        }
    }

    /// 204, no body.
    pub(crate) const fn empty() -> Self {
        Self {
            status: 204,
            body: String::new(),
        }
    }

    /// The nested shape, which most errors have. Keys in the venue's order.
    pub(crate) fn fault(status: u16, code: &str, message: &str, details: Option<&str>) -> Self {
        let details = details
            .map(|text| format!(r#","details":{}"#, json!(text)))
            .unwrap_or_default();
        Self {
            status,
            body: format!(
                r#"{{"error":{{"code":{},"message":{}{details}}}}}"#,
                json!(code),
                json!(message)
            ),
        }
    }

    /// The flat shape of a body that could not be decoded.
    pub(crate) fn undecodable(details: &str) -> Self {
        Self {
            status: 400,
            body: format!(
                r#"{{"code":"bad_request","message":"bad request","details":{}}}"#,
                json!(details)
            ),
        }
    }

    /// The bare shape of a query that failed validation.
    pub(crate) fn invalid_query(call: &str, field: &str, tag: &str) -> Self {
        let text = format!(
            "Parameter validation failed for {call}: Key: '{call}Params.{field}' Error:Field validation for '{field}' failed on the '{tag}' tag"
        );
        Self::json(400, &json!({"msg": text}))
    }

    /// The error alone, as the item of a batch carries it.
    pub(crate) fn error(&self) -> Value {
        let mut body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        match body.get_mut("error") {
            Some(error) => error.take(),
            None => body,
        }
    }

    /// Nothing of that name.
    pub(crate) fn not_found() -> Self {
        Self::fault(404, "not_found", "not found", None)
    }

    /// More requests than the account may make. There is no `Retry-After`.
    pub(crate) fn too_many() -> Self {
        Self {
            status: 429,
            body: r#"{"error":"too many requests"}"#.to_string(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.body.is_empty() {
            return status.into_response();
        }
        let json = HeaderValue::from_static("application/json");
        (status, [(header::CONTENT_TYPE, json)], self.body).into_response()
    }
}
