//! What the runtime answers when it is asked about one container, and what we make of its record.
//!
//! Kubernetes' names stand in labels, which kubelet gives (`io.kubernetes.…`), and in annotations
//! of the specification, which containerd's CRI plugin adds (`io.kubernetes.cri.…`); the former are
//! looked at first, as the specification has to be parsed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use pratique_containerd::{Container as Record, Task};
use pratique_model::{ContainerKind, Digest, Isolation, Platform, Pod};

use crate::event::whole;

/// The label by which containerd's CRI plugin tells its own containers.
pub(crate) const CRI_KIND: &str = "io.cri-containerd.kind";

/// How large a specification is still parsed; the largest in use have some 100 KiB.
const SPEC_BYTES_MAX: usize = 4 << 20;

/// How long a text of a container's record may be, in bytes; longer ones are left out. Kubernetes
/// allows 253 for names.
const TEXT_BYTES_MAX: usize = 512;

/// What was there when it was looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    /// `None`: no such container.
    pub(crate) details: Option<Details>,
    /// `None`: nothing of it runs or has run and waits to be deleted.
    pub(crate) task: Option<Task>,
}

/// A container's record as we keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) kind: ContainerKind,
    pub(crate) isolation: Isolation,
    pub(crate) pod: Option<Pod>,
    pub(crate) name: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    /// What the image's name means, where it was asked for.
    pub(crate) digests: Digests,
}

/// What an image's name means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    /// The manifest of this node's platform.
    pub(crate) manifest: Option<Digest>,
    pub(crate) config: Option<Digest>,
    pub(crate) platform: Option<Platform>,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Details {
    /// What is known of a container that is gone before it could be asked for.
    pub(crate) fn bare(image: &str, runtime: &str) -> Self {
        Self { isolation: Isolation::from_runtime(runtime), image: kept(image), ..Self::default() }
    }
}

impl From<&Record> for Details {
    fn from(record: &Record) -> Self {
        let label = |name: &str| record.labels.get(name).and_then(|text| kept(text));
        let kind = label(CRI_KIND);
        let mut pod = label("io.kubernetes.pod.name").map(|name| Pod {
            namespace: label("io.kubernetes.pod.namespace").unwrap_or_default(),
            name,
            uid: label("io.kubernetes.pod.uid").unwrap_or_default(),
        });
        let mut name = label("io.kubernetes.container.name");
        if kind.is_some() && (pod.is_none() || name.is_none()) {
            let annotations = annotations(record);
            let annotation = |name: &str| annotations.get(name).and_then(|text| kept(text));
            pod = pod.or_else(|| {
                annotation("io.kubernetes.cri.sandbox-name").map(|name| Pod {
                    namespace: annotation("io.kubernetes.cri.sandbox-namespace")
                        .unwrap_or_default(),
                    name,
                    uid: annotation("io.kubernetes.cri.sandbox-uid").unwrap_or_default(),
                })
            });
            name = name.or_else(|| annotation("io.kubernetes.cri.container-name"));
        }
        let is_sandbox = kind.as_deref() == Some("sandbox");
        Self {
            kind: if is_sandbox { ContainerKind::Sandbox } else { ContainerKind::Container },
            isolation: Isolation::from_runtime(&record.runtime),
            pod,
            name,
            image: kept(&record.image),
            created_at: record.created_at.map(whole),
            digests: Digests::default(),
        }
    }
}

/// Whether a container is Kubernetes', so that only the CRI plugin may remove its task.
pub(crate) fn is_cri(record: &Record) -> bool {
    record.labels.contains_key(CRI_KIND)
}

fn annotations(record: &Record) -> BTreeMap<String, String> {
    let spec = record.spec.as_ref().filter(|spec| spec.value.len() <= SPEC_BYTES_MAX);
    let spec = spec.and_then(|spec| serde_json::from_slice::<Spec>(&spec.value).ok());
    spec.unwrap_or_default().annotations
}

fn kept(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= TEXT_BYTES_MAX).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use pratique_containerd::Any;

    use super::*;

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_container_of_kubernetes_is_attributed_by_labels_or_annotations() {
        let pod = Pod { namespace: "shop".into(), name: "cart-0".into(), uid: "u-1".into() };
        let by_labels = Record {
            labels: labels(&[
                (CRI_KIND, "container"),
                ("io.kubernetes.pod.namespace", "shop"),
                ("io.kubernetes.pod.name", "cart-0"),
                ("io.kubernetes.pod.uid", "u-1"),
                ("io.kubernetes.container.name", "cart"),
            ]),
            ..Record::default()
        };
        let spec = br#"{"ociVersion":"1.1.0","annotations":{
            "io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-name":"cart-0",
            "io.kubernetes.cri.sandbox-uid":"u-1","io.kubernetes.cri.container-name":"cart"}}"#;
        let spec = Any { type_url: "spec".to_owned(), value: spec.to_vec().into() };
        let by_annotations = Record {
            labels: labels(&[(CRI_KIND, "container")]),
            spec: Some(spec),
            ..Record::default()
        };
        for record in [by_labels, by_annotations] {
            let details = Details::from(&record);
            assert_eq!((details.pod.as_ref(), details.name.as_deref()), (Some(&pod), Some("cart")));
            assert_eq!(details.kind, ContainerKind::Container);
            assert!(is_cri(&record));
        }
    }

    #[test]
    fn a_sandbox_and_a_plain_container_are_told_apart() {
        let sandbox = Record {
            labels: labels(&[(CRI_KIND, "sandbox"), ("io.kubernetes.pod.name", "cart-0")]),
            spec: Some(Any { type_url: String::new(), value: vec![b'{'; 9].into() }),
            ..Record::default()
        };
        assert_eq!(Details::from(&sandbox).kind, ContainerKind::Sandbox);
        let plain = Record { image: "a".repeat(600), ..Record::default() };
        let details = Details::from(&plain);
        assert_eq!((details.pod, details.name, details.image), (None, None, None));
        assert!(!is_cri(&plain));
    }
}
