//! The JSON report, `pratique.report/1`; its schema is `docs/report.schema.json`.
//!
//! Every field is always there: lists are never null, what is unknown is. One entry of a list is
//! one line, so that reports can be compared line by line and are not much larger than they must.
//! Fields may be added within version 1; none is taken away or changes its meaning.

use std::io::{self, Write};

use serde::Serialize;

use pratique_model::{DataPart, Distro, Finding, Package, Partial, Suppression, Unassessed};

use crate::{Answer, Summary, explain};

/// The schema's name and version.
pub(crate) const SCHEMA: &str = "pratique.report/1";

/// The source of the catalogue of known exploited vulnerabilities.
const KEV_SOURCE: &str = "kev";

#[derive(Serialize)]
struct WireTarget<'a> {
    reference: &'a str,
    digest: Option<String>,
    platform: Option<String>,
    source: &'a str,
    image_id: Option<String>,
    layers: Vec<String>,
}

#[derive(Serialize)]
struct WireDistro<'a> {
    id: Option<&'a str>,
    version: Option<&'a str>,
    codename: Option<&'a str>,
    eol: Option<String>,
    name: Option<&'a str>,
    id_like: &'a [String],
    is_end_of_life: bool,
}

#[derive(Serialize)]
struct WirePart<'a> {
    source: &'a str,
    part: &'a str,
    as_of: String,
    generation: u64,
    stale: bool,
}

#[derive(Serialize)]
struct WirePackage<'a> {
    purl: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    version: &'a str,
    arch: Option<&'a str>,
    source: WireSource<'a>,
    layer: Option<String>,
    paths: &'a [String],
    owned_by: Option<&'a str>,
    module: Option<&'a str>,
    vendor: Option<&'a str>,
    built_for: Option<&'a str>,
    cataloger: &'a str,
}

#[derive(Serialize)]
struct WireSource<'a> {
    name: Option<&'a str>,
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct WireFinding<'a> {
    id: &'a str,
    aliases: &'a [String],
    package: &'a str,
    installed: &'a str,
    fixed: Option<&'a str>,
    status: &'a str,
    remark: Option<&'a str>,
    severity: &'a str,
    severity_source: Option<&'a str>,
    cvss: Option<f64>,
    cvss_version: Option<&'a str>,
    cvss_vector: Option<&'a str>,
    cvss_source: Option<&'a str>,
    epss: Option<f64>,
    epss_percentile: Option<f64>,
    kev: Option<bool>,
    kev_due: Option<String>,
    risk: f64,
    advisory: WireAdvisory<'a>,
    unparsable: Option<&'a str>,
    explain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct WireAdvisory<'a> {
    source: &'a str,
    id: &'a str,
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct WirePartial<'a> {
    layer: Option<String>,
    path: Option<&'a str>,
    problem: &'a str,
}

#[derive(Serialize)]
struct WireUnassessed<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    release: Option<&'a str>,
    packages: usize,
    why: &'a str,
}

#[derive(Serialize)]
struct WireSummary {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    negligible: usize,
    unknown: usize,
    fixable: usize,
    suppressed: usize,
}

/// Writes the answer as JSON.
pub(crate) fn write(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (report, assessment) = (answer.report, answer.assessment);
    let is_kev_known = assessment.data.iter().any(|part| part.part.source() == KEV_SOURCE);
    out.write_all(b"{\n\"schema\": ")?;
    value(out, &SCHEMA)?;
    field(out, "made_at", &answer.now().map(|at| at.to_string()))?;
    field(out, "target", &target(answer))?;
    field(out, "distro", &distro(report.distro.as_ref(), assessment.end_of_life.is_some()))?;
    list(out, "data", assessment.data.iter().map(part))?;
    let packages = report.packages.iter().zip(answer.purls());
    list(out, "packages", packages.map(|(one, purl)| package(one, purl)))?;
    let findings = assessment.findings.iter();
    list(out, "findings", findings.map(|one| finding(answer, one, is_kev_known, None)))?;
    let suppressed = assessment.suppressed.iter();
    list(
        out,
        "suppressed",
        suppressed.map(|one| finding(answer, &one.finding, is_kev_known, Some(one.reason))),
    )?;
    list(out, "unassessed", assessment.unassessed.iter().map(unassessed))?;
    list(out, "partial", report.partial.iter().map(partial))?;
    field(out, "summary", &summary(answer))?;
    out.write_all(b"\n}\n")
}

fn value(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

fn field(out: &mut dyn Write, name: &str, field: &impl Serialize) -> io::Result<()> {
    write!(out, ",\n\"{name}\": ")?;
    value(out, field)
}

/// A list with one entry a line.
fn list<T: Serialize>(
    out: &mut dyn Write,
    name: &str,
    entries: impl Iterator<Item = T>,
) -> io::Result<()> {
    write!(out, ",\n\"{name}\": [")?;
    let mut is_empty = true;
    for entry in entries {
        out.write_all(if is_empty { b"\n" } else { b",\n" })?;
        is_empty = false;
        value(out, &entry)?;
    }
    out.write_all(if is_empty { b"]" } else { b"\n]" })
}

fn target<'a>(answer: &Answer<'a>) -> WireTarget<'a> {
    let target = &answer.report.target;
    WireTarget {
        reference: answer.reference(),
        digest: target.digest.map(|digest| digest.to_string()),
        platform: target.platform.as_ref().map(ToString::to_string),
        source: &target.source,
        image_id: target.image_id.map(|digest| digest.to_string()),
        layers: target.layers.iter().map(ToString::to_string).collect(),
    }
}

fn distro(distro: Option<&Distro>, is_end_of_life: bool) -> WireDistro<'_> {
    let Some(distro) = distro else {
        return WireDistro {
            id: None,
            version: None,
            codename: None,
            eol: None,
            name: None,
            id_like: &[],
            is_end_of_life,
        };
    };
    WireDistro {
        id: Some(&distro.id),
        version: Some(&*distro.version).filter(|version| !version.is_empty()),
        codename: distro.codename.as_deref(),
        eol: distro.eol.map(|date| date.to_string()),
        name: Some(&*distro.name).filter(|name| !name.is_empty()),
        id_like: &distro.id_like,
        is_end_of_life,
    }
}

fn part(data: &DataPart) -> WirePart<'_> {
    WirePart {
        source: data.part.source(),
        part: data.part.part(),
        as_of: data.as_of.to_string(),
        generation: data.generation,
        stale: data.is_stale,
    }
}

fn package<'a>(package: &'a Package, purl: &'a str) -> WirePackage<'a> {
    let source = package.source.as_ref();
    WirePackage {
        purl,
        kind: package.ecosystem.as_str(),
        name: &package.name,
        version: &package.version,
        arch: package.arch.as_deref(),
        source: WireSource {
            name: source.map(|source| &*source.name),
            version: source.map(|source| &*source.version),
        },
        layer: package.layer.map(|layer| layer.to_string()),
        paths: &package.paths,
        owned_by: package.owned_by.as_deref(),
        module: package.module.as_deref(),
        vendor: package.vendor.as_deref(),
        built_for: package.built_for.as_deref(),
        cataloger: package.cataloger,
    }
}

fn finding<'a>(
    answer: &'a Answer<'_>,
    finding: &'a Finding,
    is_kev_known: bool,
    reason: Option<Suppression>,
) -> WireFinding<'a> {
    let cvss = finding.cvss.as_ref();
    let kev = finding.kev.as_ref();
    WireFinding {
        id: &finding.id,
        aliases: &finding.aliases,
        package: answer.purl(finding),
        installed: &finding.installed,
        fixed: finding.fixed.as_deref(),
        status: finding.status.as_str(),
        remark: finding.remark.as_deref(),
        severity: finding.severity.as_str(),
        severity_source: finding.severity_source.as_deref(),
        cvss: cvss.map(|cvss| cvss.score),
        cvss_version: cvss.map(|cvss| cvss.version.as_str()),
        cvss_vector: cvss.map(|cvss| &*cvss.vector),
        cvss_source: cvss.map(|cvss| &*cvss.source),
        epss: finding.epss.as_ref().map(|epss| epss.score),
        epss_percentile: finding.epss.as_ref().map(|epss| epss.percentile),
        kev: (is_kev_known || kev.is_some()).then_some(kev.is_some()),
        kev_due: kev.and_then(|kev| kev.due).map(|due| due.to_string()),
        risk: finding.risk,
        advisory: WireAdvisory {
            source: &finding.advisory.source,
            id: &finding.advisory.id,
            url: finding.advisory.url.as_deref(),
        },
        unparsable: finding.unparsable.as_deref(),
        explain: explain::sentence(finding),
        reason: reason.map(Suppression::as_str),
    }
}

fn unassessed(unassessed: &Unassessed) -> WireUnassessed<'_> {
    WireUnassessed {
        kind: unassessed.ecosystem.as_str(),
        release: unassessed.release.as_ref().map(pratique_model::Release::as_str),
        packages: unassessed.package_count,
        why: &unassessed.why,
    }
}

fn partial(partial: &Partial) -> WirePartial<'_> {
    WirePartial {
        layer: partial.layer.map(|layer| layer.to_string()),
        path: partial.path.as_deref(),
        problem: &partial.problem,
    }
}

fn summary(answer: &Answer<'_>) -> WireSummary {
    let counts = Summary::of(answer.assessment);
    WireSummary {
        critical: counts.critical,
        high: counts.high,
        medium: counts.medium,
        low: counts.low,
        negligible: counts.negligible,
        unknown: counts.unknown,
        fixable: counts.fixable,
        suppressed: answer.assessment.suppressed.len(),
    }
}
