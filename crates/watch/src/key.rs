//! Of what an event is: a container or an image's name, in a namespace of the runtime.

use std::sync::Arc;

/// One container or one image name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) namespace: Arc<str>,
    /// The container's id or the image's name.
    pub(crate) id: Arc<str>,
}

/// What a [`Key`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Container,
    Image,
}

impl Key {
    pub(crate) fn container(namespace: &str, id: &str) -> Self {
        Self { kind: Kind::Container, namespace: namespace.into(), id: id.into() }
    }

    pub(crate) fn image(namespace: &str, name: &str) -> Self {
        Self { kind: Kind::Image, namespace: namespace.into(), id: name.into() }
    }
}
