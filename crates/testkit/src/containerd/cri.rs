//! Drives containerd as a kubelet does, over CRI, for pods that tests need.
//!
//! Few of CRI's messages and of their fields; names and numbers are those of
//! `k8s.io/cri-api/pkg/apis/runtime/v1/api.proto`. Pods are on the host's network, since there are
//! no network plugins; labels are those a kubelet sets, and carry the pod's name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::{Containerd, PAUSE};
use crate::process::eventually;

/// How long CRI may take to see an image.
const IMAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// `NamespaceMode.NODE`: the host's.
const NODE: i32 = 2;

/// A kubelet's end of CRI. Every call panics when it does not succeed: it is for tests.
pub struct Cri {
    runtime: Runtime,
    channel: Channel,
    cgroup_parent: String,
    logs: PathBuf,
}

/// A pod sandbox that runs.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Its container's id.
    pub id: String,
    config: SandboxConfig,
}

impl Cri {
    /// Of a containerd. Logs of containers go into its folder.
    ///
    /// # Panics
    /// Within an async runtime: it has its own.
    pub fn connect(containerd: &Containerd) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let socket = containerd.socket();
        let connect = move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        };
        let channel = runtime.block_on(async {
            Endpoint::from_static("http://localhost")
                .connect_with_connector_lazy(tower::service_fn(connect))
        });
        let (cgroup_parent, logs) = (containerd.cgroup(), containerd.folder().to_owned());
        Self { runtime, channel, cgroup_parent, logs }
    }

    /// Runs a pod's sandbox.
    ///
    /// # Panics
    /// See [`Cri`].
    pub fn run_pod_sandbox(&self, namespace: &str, name: &str, uid: &str) -> Sandbox {
        let config = SandboxConfig {
            metadata: Some(SandboxMetadata {
                name: name.to_owned(),
                uid: uid.to_owned(),
                namespace: namespace.to_owned(),
            }),
            log_directory: self.logs.display().to_string(),
            labels: labels(namespace, name, uid, None),
            linux: Some(SandboxLinux {
                cgroup_parent: self.cgroup_parent.clone(),
                security_context: Some(Security {
                    namespace_options: Some(NamespaceOption { network: NODE }),
                }),
            }),
        };
        self.wait_for_image(PAUSE);
        let request = RunPodSandbox { config: Some(config.clone()) };
        let answer: OneId = self.call("RunPodSandbox", request);
        Sandbox { id: answer.id, config }
    }

    /// Makes a container in a sandbox and gives its id.
    ///
    /// # Panics
    /// See [`Cri`].
    pub fn create_container(
        &self,
        sandbox: &Sandbox,
        name: &str,
        image: &str,
        command: &[&str],
    ) -> String {
        self.wait_for_image(image);
        let pod = sandbox.config.metadata.clone().unwrap_or_default();
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata { name: name.to_owned() }),
            image: Some(ImageSpec { image: image.to_owned() }),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            labels: labels(&pod.namespace, &pod.name, &pod.uid, Some(name)),
            log_path: format!("{name}.log"),
            linux: Some(ContainerLinux {
                security_context: Some(ContainerSecurity {
                    namespace_options: Some(NamespaceOption { network: NODE }),
                }),
            }),
        };
        let request = CreateContainer {
            sandbox_id: sandbox.id.clone(),
            config: Some(config),
            sandbox_config: Some(sandbox.config.clone()),
        };
        let answer: OneId = self.call("CreateContainer", request);
        answer.id
    }

    /// Starts a container.
    ///
    /// # Panics
    /// See [`Cri`].
    pub fn start_container(&self, id: &str) {
        let Empty {} = self.call("StartContainer", OneId { id: id.to_owned() });
    }

    /// Ends a container: SIGTERM, and SIGKILL after so many seconds.
    ///
    /// # Panics
    /// See [`Cri`].
    pub fn stop_container(&self, id: &str, timeout_seconds: i64) {
        let request = StopContainer { id: id.to_owned(), timeout: timeout_seconds };
        let Empty {} = self.call("StopContainer", request);
    }

    /// Removes a container.
    ///
    /// # Panics
    /// See [`Cri`].
    pub fn remove_container(&self, id: &str) {
        let Empty {} = self.call("RemoveContainer", OneId { id: id.to_owned() });
    }

    /// Stops a sandbox and all in it, and removes it.
    ///
    /// # Panics
    /// See [`Cri`].
    pub fn remove_pod_sandbox(&self, sandbox: &Sandbox) {
        let Empty {} = self.call("StopPodSandbox", OneId { id: sandbox.id.clone() });
        let Empty {} = self.call("RemovePodSandbox", OneId { id: sandbox.id.clone() });
    }

    /// Waits until CRI has seen an image that was imported into its namespace.
    fn wait_for_image(&self, name: &str) {
        eventually("CRI has the image", IMAGE_TIMEOUT, || {
            let request = ImageStatus { image: Some(ImageSpec { image: name.to_owned() }) };
            let answer: ImageStatusAnswer = self.call_of("ImageService", "ImageStatus", request);
            answer.image.is_some()
        });
    }

    fn call<Q, A>(&self, method: &str, message: Q) -> A
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.call_of("RuntimeService", method, message)
    }

    fn call_of<Q, A>(&self, service: &str, method: &str, message: Q) -> A
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let path = format!("/runtime.v1.{service}/{method}");
        let path = PathAndQuery::try_from(path).expect("a path");
        let mut grpc = Grpc::new(self.channel.clone());
        let answer = self.runtime.block_on(async {
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            grpc.unary(Request::new(message), path, ProstCodec::<Q, A>::default()).await
        });
        answer.unwrap_or_else(|status| panic!("CRI {method}: {status}")).into_inner()
    }
}

fn labels(
    namespace: &str,
    pod: &str,
    uid: &str,
    container: Option<&str>,
) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        ("io.kubernetes.pod.namespace".to_owned(), namespace.to_owned()),
        ("io.kubernetes.pod.name".to_owned(), pod.to_owned()),
        ("io.kubernetes.pod.uid".to_owned(), uid.to_owned()),
    ]);
    if let Some(name) = container {
        labels.insert("io.kubernetes.container.name".to_owned(), name.to_owned());
    }
    labels
}

#[derive(Clone, PartialEq, Message)]
struct Empty {}

/// Requests and answers of which the first field is an id.
#[derive(Clone, PartialEq, Message)]
struct OneId {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct RunPodSandbox {
    #[prost(message, optional, tag = "1")]
    config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<SandboxMetadata>,
    #[prost(string, tag = "3")]
    log_directory: String,
    #[prost(map = "string, string", tag = "6")]
    labels: HashMap<String, String>,
    #[prost(message, optional, tag = "8")]
    linux: Option<SandboxLinux>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxLinux {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security_context: Option<Security>,
}

#[derive(Clone, PartialEq, Message)]
struct Security {
    #[prost(message, optional, tag = "1")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    sandbox_id: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    image: Option<ImageSpec>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(map = "string, string", tag = "9")]
    labels: HashMap<String, String>,
    #[prost(string, tag = "11")]
    log_path: String,
    #[prost(message, optional, tag = "15")]
    linux: Option<ContainerLinux>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, Message)]
struct ImageStatus {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct ImageStatusAnswer {
    #[prost(message, optional, tag = "1")]
    image: Option<Empty>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerLinux {
    #[prost(message, optional, tag = "2")]
    security_context: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerSecurity {
    #[prost(message, optional, tag = "3")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, Message)]
struct StopContainer {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int64, tag = "2")]
    timeout: i64,
}
