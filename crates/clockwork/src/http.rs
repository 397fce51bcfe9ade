//! A small HTTP/1 server: bounded in everything, stopped with grace.
//!
//! ```no_run
//! use pratique_clockwork::{Shutdown, http};
//!
//! # async fn serve(shutdown: Shutdown) -> Result<(), http::HttpError> {
//! let listen: http::Listen = "127.0.0.1:9760".parse()?;
//! let server = http::Server::bind(&listen, http::Limits::default()).await?;
//! let _address = server.address(); // for the log: the real port, where 0 was asked for
//! server
//!     .run(shutdown, |request: http::Request| async move {
//!         match request.uri().path() {
//!             "/healthz" => http::text(http::StatusCode::OK, "ok\n"),
//!             _ => http::text(http::StatusCode::NOT_FOUND, "not found\n"),
//!         }
//!     })
//!     .await;
//! # Ok(())
//! # }
//! ```
//!
//! A handler is one function from request to response; routing, access and what the paths mean
//! are its caller's. It reads a body through [`read_body`] only, answers with [`text`], [`json`],
//! [`exposition`] or any [`Response`], and finds who asked in the request's extensions
//! ([`Peer`]). A handler that panics costs its own connection. Binding and running are apart, so
//! that a wrong address is known before anything else starts.

mod answer;
mod client;
mod limit;
mod listen;
mod patience;
mod server;
mod tls;

pub use answer::{Body, BodyError, Request, Response, bytes, exposition, json, read_body, text};
pub use client::{AskError, get};
pub use hyper::{Method, StatusCode, header};
pub use limit::Limits;
pub use listen::{Given, HttpError, Listen, Peer};
pub use server::Server;
pub use tls::Tls;
