//! The nouns of the domain and their text forms.
//!
//! Every other crate speaks in these types. They are pure values: nothing here reads a file, a
//! clock or the network, and none of them is a wire format (rows, JSON and feed files have their
//! own structs beside the edge where they are read or written).

mod advisory;
mod container;
mod cvss;
mod digest;
mod distro;
mod ecosystem;
mod enrichment;
mod finding;
mod index_report;
mod node_image;
mod notice;
mod package;
mod platform;
mod purl;
mod release;
mod severity;
mod source;
mod status;
mod vulnerability;

pub use advisory::{Advisory, Affected, NameKind, Range};
pub use container::{Container, ContainerKind, ContainerState, ExitReason, Isolation, Pod};
pub use cvss::{Cvss, CvssError, CvssVersion};
pub use digest::{DiffId, Digest, DigestError};
pub use distro::Distro;
pub use ecosystem::{Ecosystem, UnknownEcosystem};
pub use enrichment::{Enrichment, Epss, KnownExploited, NvdScore};
pub use finding::{
    AdvisoryReference, Assessment, Comparison, DataPart, Explanation, Finding, Suppressed,
    Suppression, Unassessed,
};
pub use index_report::{IndexReport, Partial, Target};
pub use node_image::NodeImage;
pub use notice::{Notice, NoticeKind, NoticeSource, NumberedNotice};
pub use package::{Package, SourcePackage};
pub use platform::{Platform, PlatformError};
pub use purl::{Purl, PurlError};
pub use release::Release;
pub use severity::Severity;
pub use source::{Note, PartId, PartIdError};
pub use status::Status;
pub use vulnerability::{is_cve, vulnerability_year};
