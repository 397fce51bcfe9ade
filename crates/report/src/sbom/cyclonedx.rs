//! CycloneDX JSON, 1.4 to 1.6, as Syft, Trivy and others write it.
//!
//! A component is a package if it has a package URL, or is a library; its URL gives type, name and
//! version, and properties give what the URL has no place for. Syft calls them `syft:…`, Trivy
//! `aquasecurity:trivy:…`. Go's names are lower case in package URLs and matched with their case,
//! so where the component's own name differs in case only, it is taken.

use serde::Deserialize;

use pratique_model::{
    DiffId, Digest, Distro, Ecosystem, IndexReport, Package, Partial, Purl, SourcePackage, Target,
};

use super::purl::{distro_of, package as package_of, source_rpm};
use super::{CATALOGER, NO_PATH, SbomError, distro, sorted};

/// Types of package URLs that stand for an image as a whole, not for a package in it.
const IMAGE_TYPES: [&str; 2] = ["oci", "docker"];

/// What Trivy calls a distribution, and its `ID` in os-release.
const TRIVY_DISTRIBUTIONS: [(&str, &str); 5] = [
    ("alma", "almalinux"),
    ("redhat", "rhel"),
    ("oracle", "ol"),
    ("amazon", "amzn"),
    ("cbl-mariner", "mariner"),
];

#[derive(Deserialize)]
struct WireBom {
    #[serde(default)]
    metadata: WireMetadata,
    #[serde(default)]
    components: Vec<WireComponent>,
}

#[derive(Default, Deserialize)]
struct WireMetadata {
    component: Option<WireComponent>,
}

#[derive(Deserialize)]
struct WireComponent {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    group: Option<String>,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    properties: Vec<WireProperty>,
    #[serde(default)]
    components: Vec<WireComponent>,
}

#[derive(Deserialize)]
struct WireProperty {
    #[serde(default)]
    name: String,
    value: Option<String>,
}

/// What the components come to.
#[derive(Default)]
struct Found {
    packages: Vec<Package>,
    /// From a component that says what it is.
    distro: Option<Distro>,
    /// From package URLs.
    named: Option<Distro>,
    /// Components that could not be read.
    partial: Vec<Partial>,
}

/// Reads a document whose version is known to be one of ours.
pub(super) fn parse(document: &[u8], name: &str) -> Result<IndexReport, SbomError> {
    let bom: WireBom = serde_json::from_slice(document).map_err(|error| SbomError::Content {
        place: "CycloneDX".to_owned(),
        problem: error.to_string(),
    })?;
    let mut found = Found::default();
    for (index, component) in bom.components.iter().enumerate() {
        found.read(component, &|| format!("components[{index}]"));
    }
    let mut target =
        Target { reference: name.to_owned(), source: "sbom".to_owned(), ..Target::default() };
    if let Some(component) = &bom.metadata.component {
        describe(&mut target, component);
        for (index, nested) in component.components.iter().enumerate() {
            found.read(nested, &|| format!("metadata.component.components[{index}]"));
        }
    }
    Ok(IndexReport {
        target,
        distro: found.distro.or(found.named),
        packages: sorted(found.packages),
        partial: found.partial,
    })
}

/// Names the target as the document does. Syft gives the manifest's digest as version, Trivy in
/// the package URL.
fn describe(target: &mut Target, component: &WireComponent) {
    if !component.name.is_empty() {
        target.reference.clone_from(&component.name);
    }
    let purl: Option<Purl> = component.purl.as_deref().and_then(|purl| purl.parse().ok());
    let digest = |text: Option<&str>| text.and_then(|text| text.parse::<Digest>().ok());
    target.digest = digest(component.version.as_deref())
        .or_else(|| digest(purl.as_ref().and_then(Purl::version)));
    target.image_id = digest(component.property("aquasecurity:trivy:ImageID"));
    let layers = component.properties.iter().filter(|one| one.name == "aquasecurity:trivy:DiffID");
    target.layers = layers.filter_map(|one| one.value.as_deref()?.parse().ok()).collect();
}

impl Found {
    /// Reads a component and those in it; one whose package URL cannot be read is named in
    /// `partial`. The depth is bounded by the JSON parser's own limit.
    fn read(&mut self, component: &WireComponent, place: &dyn Fn() -> String) {
        if component.kind == "operating-system" {
            self.distro = self.distro.take().or_else(|| distribution(component));
        } else if let Some(text) = component.purl.as_deref().filter(|text| !text.is_empty()) {
            match text.parse() {
                Ok(purl) => self.package(component, &purl),
                Err(error) => {
                    let problem = format!("{}: {error}", place());
                    self.partial.push(Partial { layer: None, path: None, problem });
                }
            }
        } else if component.kind == "library" {
            self.packages.push(component.nameless());
        }
        for (index, nested) in component.components.iter().enumerate() {
            self.read(nested, &|| format!("{}.components[{index}]", place()));
        }
    }

    fn package(&mut self, component: &WireComponent, purl: &Purl) {
        if IMAGE_TYPES.contains(&purl.kind()) {
            return;
        }
        let package = component.package(purl);
        if package.ecosystem.is_distro() && self.named.is_none() {
            self.named = distro_of(purl);
        }
        self.packages.push(package);
    }
}

/// The distribution that an `operating-system` component describes.
fn distribution(component: &WireComponent) -> Option<Distro> {
    let id = component.property("syft:distro:id").unwrap_or(&component.name);
    let id = id.to_ascii_lowercase();
    if id.is_empty() {
        return None;
    }
    let known = TRIVY_DISTRIBUTIONS.iter().find(|(trivy, _)| *trivy == id);
    let id = known.map_or(&*id, |(_, id)| id);
    let version = component
        .property("syft:distro:versionID")
        .or(component.version.as_deref())
        .unwrap_or_default();
    // Edge calls itself the coming release: `3.21_alpha20240923`.
    let version = if id == "alpine" && version.contains("_alpha") { "edge" } else { version };
    let mut found = distro(id, version);
    found.codename = component.property("syft:distro:versionCodename").map(str::to_owned);
    if let Some(name) = component.property("syft:distro:prettyName") {
        found.name = name.to_owned();
    }
    let relatives = component.properties.iter();
    found.id_like = relatives
        .filter(|property| property.name.starts_with("syft:distro:idLike:"))
        .filter_map(|property| property.value.clone())
        .collect();
    Some(found)
}

impl WireComponent {
    fn property(&self, name: &str) -> Option<&str> {
        let property = self.properties.iter().find(|property| property.name == name)?;
        property.value.as_deref().filter(|value| !value.is_empty())
    }

    fn package(&self, purl: &Purl) -> Package {
        let mut package = package_of(purl);
        self.keep_case(&mut package);
        self.keep_source(&mut package);
        package.module = self
            .property("syft:metadata:modularityLabel")
            .or_else(|| self.property("aquasecurity:trivy:Modularitylabel"))
            .map(str::to_owned);
        package.vendor = self.property("syft:metadata:vendor").map(str::to_owned);
        package.layer = self
            .property("syft:location:0:layerID")
            .or_else(|| self.property("aquasecurity:trivy:LayerDiffID"))
            .and_then(|text| text.parse::<DiffId>().ok());
        let mut paths: Vec<String> = self
            .properties
            .iter()
            .filter(|property| is_path(&property.name))
            .filter_map(|property| property.value.as_deref())
            .map(|path| format!("/{}", path.trim_start_matches('/')))
            .collect();
        if !paths.is_empty() {
            paths.sort();
            paths.dedup();
            package.paths = paths;
        }
        package
    }

    /// Takes the component's name where it is the URL's but for case and, on PyPI, separators.
    fn keep_case(&self, package: &mut Package) {
        let separator = if package.ecosystem == Ecosystem::Maven { ":" } else { "/" };
        let group = self.group.as_deref().filter(|group| !group.is_empty());
        let full = group
            .map_or_else(|| self.name.clone(), |group| format!("{group}{separator}{}", self.name));
        let is_same = |name: &str| match package.ecosystem {
            Ecosystem::Pypi => {
                let plain = |text: &str| text.to_lowercase().replace(['_', '.'], "-");
                plain(name) == plain(&package.name)
            }
            _ => name.eq_ignore_ascii_case(&package.name),
        };
        if is_same(&full) {
            package.name = full;
        }
    }

    /// Takes the source package from properties, which are more exact than the URL.
    fn keep_source(&self, package: &mut Package) {
        if !package.ecosystem.is_distro() {
            return;
        }
        let version = package.version.clone();
        let epoch = version.split_once(':').map(|(epoch, _)| epoch);
        let of_rpm = self.property("syft:metadata:sourceRpm");
        if let Some(source) = of_rpm.and_then(|file| source_rpm(file, epoch)) {
            package.source = Some(source);
        }
        let name = ["syft:metadata:source", "syft:metadata:originPackage"]
            .into_iter()
            .find_map(|name| self.property(name));
        if let Some(name) = name {
            let version = self.property("syft:metadata:sourceVersion").unwrap_or(&version);
            package.source =
                Some(SourcePackage { name: name.to_owned(), version: version.to_owned() });
        }
        if let Some(name) = self.property("aquasecurity:trivy:SrcName") {
            let version = self.trivy_source_version().unwrap_or(version);
            package.source = Some(SourcePackage { name: name.to_owned(), version });
        }
    }

    /// Trivy splits the source's version into its three parts.
    fn trivy_source_version(&self) -> Option<String> {
        let version = self.property("aquasecurity:trivy:SrcVersion")?;
        let epoch = self.property("aquasecurity:trivy:SrcEpoch").filter(|epoch| *epoch != "0");
        let mut text = epoch.map_or_else(String::new, |epoch| format!("{epoch}:"));
        text.push_str(version);
        if let Some(release) = self.property("aquasecurity:trivy:SrcRelease") {
            text.push('-');
            text.push_str(release);
        }
        Some(text)
    }

    /// A library without a package URL: listed, and not matched.
    fn nameless(&self) -> Package {
        let group = self.group.as_deref().filter(|group| !group.is_empty());
        Package {
            ecosystem: Ecosystem::Generic,
            name: group.map_or_else(|| self.name.clone(), |group| format!("{group}/{}", self.name)),
            version: self.version.clone().unwrap_or_default(),
            arch: None,
            source: None,
            module: None,
            vendor: None,
            layer: None,
            paths: vec![NO_PATH.to_owned()],
            owned_by: None,
            built_for: None,
            cataloger: CATALOGER,
        }
    }
}

fn is_path(property: &str) -> bool {
    property == "aquasecurity:trivy:FilePath"
        || (property.starts_with("syft:location:") && property.ends_with(":path"))
}
