//! A message whose type is named beside it.

use bytes::Bytes;

use crate::wire;

/// Bytes and the name of what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Any {
    /// The type's name, in containerd without a host: `containerd.events.TaskExit`, or for an OCI
    /// specification `types.containerd.io/opencontainers/runtime-spec/1/Spec`.
    pub type_url: String,
    /// The message, protobuf or JSON as the type has it.
    pub value: Bytes,
}

impl From<wire::Any> for Any {
    fn from(any: wire::Any) -> Self {
        Self { type_url: any.type_url, value: any.value }
    }
}

impl From<Any> for wire::Any {
    fn from(any: Any) -> Self {
        Self { type_url: any.type_url, value: any.value }
    }
}
