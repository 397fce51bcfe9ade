//! Requests and responses as handlers see them.

use std::error::Error;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{StatusCode, header};
use prometheus_client::registry::Registry;
use tracing::error;

/// What a client asks; its body is read with [`read_body`].
pub type Request = hyper::Request<Incoming>;

/// What a client gets.
pub type Response = hyper::Response<Body>;

/// The body of a response: a value, or a stream whose error cuts the connection, so that a client
/// never takes a part for the whole.
pub type Body = BoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Why a request's body could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the handler takes; 413 is the answer.
    #[error("request body of more than {size_max} bytes")]
    TooLarge {
        /// The handler's limit.
        size_max: usize,
    },
    /// The client broke off, or sent what is not HTTP.
    #[error("request body")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// The type of a text answer.
const TEXT: &str = "text/plain; charset=utf-8";

/// What `prometheus-client` writes, from the OpenMetrics specification 1.0, "Protocol
/// Negotiation". Prometheus has read it since 2.5 and goes by this header.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An answer of plain text. End it with a line feed.
pub fn text(status: StatusCode, text: impl Into<String>) -> Response {
    respond(status, TEXT, text.into())
}

/// An answer of JSON that has been written already.
pub fn json(status: StatusCode, text: impl Into<String>) -> Response {
    respond(status, "application/json", text.into())
}

/// An answer of any type, as bytes.
pub fn bytes(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    respond(status, content_type, body)
}

/// All metrics of a registry, as OpenMetrics text.
pub fn exposition(registry: &Registry) -> Response {
    let mut exposed = String::new();
    match prometheus_client::encoding::text::encode(&mut exposed, registry) {
        Ok(()) => respond(StatusCode::OK, OPENMETRICS, exposed),
        Err(cause) => {
            error!("metrics could not be written: {cause}");
            text(StatusCode::INTERNAL_SERVER_ERROR, "metrics could not be written\n")
        }
    }
}

/// Reads a request's body of at most `size_max` bytes. How long it may take is bounded by the
/// server's limit for the whole answer.
///
/// # Errors
/// [`BodyError`]; the connection is of no further use then.
pub async fn read_body(request: Request, size_max: usize) -> Result<Vec<u8>, BodyError> {
    match Limited::new(request.into_body(), size_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge { size_max }),
        Err(error) => Err(BodyError::Broken(error)),
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
