//! Typed client of the containerd services that Pratique uses, over containerd's unix socket.
//!
//! [`Client`] asks: who runs ([`Client::tasks`]), made from what ([`Client::containers`],
//! [`Client::images`]), how it ended ([`Client::wait`]), and reads what images are made of
//! ([`Client::read_content`]). [`Client::subscribe`] follows containerd's events. Messages are our
//! own, with the field numbers of containerd's API, which 1.6, 1.7 and 2.x share. What all of it
//! means, and what to do after an error, is left to the caller (`watch`, `image`).
//!
//! Tests run on a real 1.6 and a real 2.2, and ran by hand on 1.7.35. Metrics of the second version
//! of control groups are read from bytes made by hand.
//!
//! What would surprise: no call is made when a client or a stream is; containerd may come later.

mod any;
mod client;
mod connection;
mod container;
mod content;
mod error;
mod event;
mod image;
mod task;
mod time;
mod wire;

pub use any::Any;
pub use client::{Client, Version};
pub use container::Container;
pub use content::{ContentInfo, ContentStream};
pub use error::{Call, Error};
pub use event::{Envelope, Event, EventStream};
pub use image::{Descriptor, Image};
pub use task::{DeletedTask, Exit, Task, TaskStatus, UNKNOWN_EXIT_STATUS};
pub use tonic::Code;
