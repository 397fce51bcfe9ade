//! Azure Linux and its forerunner CBL-Mariner: OVAL definitions, one file per release.
//!
//! One definition is about one CVE in one package. What would surprise: the name is a source's or a
//! binary's, and the file does not say which; `patchable` is Microsoft's own field, and `Not
//! Applicable` in it takes the definition back, although its criteria still stand there.

use std::io::BufRead;

use jiff::Timestamp;

use pratique_model::{
    Advisory, Affected, Ecosystem, NameKind, Note, PartId, Release, Severity, Status, is_cve,
};

use crate::oval::{self, Concerned, Definition, Oval};
use crate::text;
use crate::{
    Container, Coverage, Document, FeedError, Parser, Part, Sink, Source, SourceKind, Summary,
};

/// The files that are published: the part's name, which begins the file's, and the release.
const RELEASES: [(&str, &str, &str); 3] = [
    ("cbl-mariner-1.0", "mariner", "1.0"),
    ("cbl-mariner-2.0", "mariner", "2.0"),
    ("azurelinux-3.0", "azurelinux", "3.0"),
];

const BASE_URL: &str =
    "https://raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main";

const PARSER_VERSION: u32 = 1;

/// The source `azurelinux`.
pub(crate) struct AzureLinux;

impl Source for AzureLinux {
    fn name(&self) -> &'static str {
        "azurelinux"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        RELEASES
            .iter()
            .map(|(name, id, version)| Part {
                id: PartId::new("azurelinux", name),
                documents: vec![Document {
                    url: format!("{BASE_URL}/{name}-oval.xml"),
                    container: Container::Plain,
                    optional: false,
                }],
                covers: Coverage::Release(Release::new(id, version)),
                parser_version: PARSER_VERSION,
            })
            .collect()
    }

    fn parser(&self, part: &PartId) -> Box<dyn Parser> {
        let (_, id, version) = RELEASES
            .iter()
            .find(|(name, _, _)| *name == part.part())
            .expect("a parser is asked for a part of this source");
        Box::new(Definitions { release: Release::new(id, version), as_of: None })
    }
}

struct Definitions {
    release: Release,
    as_of: Option<Timestamp>,
}

impl Parser for Definitions {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        let oval = oval::read(path, content)?;
        if oval.definitions.is_empty() {
            return Err(FeedError::form(path, "holds no definition".to_owned()));
        }
        self.as_of = oval.timestamp.parse().ok();
        for definition in &oval.definitions {
            if field(definition, "patchable") == "Not Applicable" {
                continue;
            }
            match self.advisory(&oval, definition, sink) {
                Ok(advisory) => sink.advisory(advisory),
                Err(problem) => {
                    sink.quarantine(Note { subject: definition.id.clone(), text: problem });
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        Ok(Summary { as_of: self.as_of })
    }
}

impl Definitions {
    fn advisory(
        &self,
        oval: &Oval,
        definition: &Definition,
        sink: &mut dyn Sink,
    ) -> Result<Advisory, String> {
        let mut cves: Vec<String> =
            definition.references.iter().map(|it| it.0.clone()).filter(|id| is_cve(id)).collect();
        cves.sort_unstable();
        cves.dedup();
        let first = definition.references.first();
        let id = cves.first().or(first.map(|it| &it.0)).filter(|id| !id.is_empty());
        let id = id.ok_or("has no reference")?.clone();
        let severity = match field(definition, "severity") {
            "" => None,
            word => Severity::from_vendor_word(word),
        };
        let mut affected = Vec::new();
        for concerned in oval.concerned(definition)? {
            self.check_version(&concerned, definition, sink)?;
            let mut statement = self.statement(concerned, field(definition, "patchable"))?;
            statement.severity = severity;
            affected.push(statement);
        }
        Ok(Advisory {
            id,
            vulnerabilities: cves,
            url: first.map(|it| it.1.clone()).filter(|url| url.starts_with("https://")),
            summary: text::summary(field(definition, "title")),
            modified: field(definition, "advisory_date").parse().ok(),
            affected,
            ..Advisory::default()
        })
    }

    /// Puts aside what is no version, and remarks on what is an odd one.
    fn check_version(
        &self,
        concerned: &Concerned,
        definition: &Definition,
        sink: &mut dyn Sink,
    ) -> Result<(), String> {
        let range = &concerned.range;
        for version in [&range.introduced, &range.fixed, &range.last_affected].into_iter().flatten()
        {
            if version.starts_with("null") {
                return Err(format!("{}: no version: {version}", concerned.package));
            }
            if version.contains(',') {
                sink.note(Note {
                    subject: definition.id.clone(),
                    text: format!(
                        "a list where one version is expected: {}",
                        text::quoted(version)
                    ),
                });
            }
        }
        Ok(())
    }

    fn statement(&self, concerned: Concerned, patchable: &str) -> Result<Affected, String> {
        let (status, remark) = match patchable {
            "true" | "" if concerned.range.fixed.is_some() => (Status::Fixed, None),
            "true" | "" => (Status::Affected, None),
            "false" => (Status::Affected, Some("patchable=false")),
            other => return Err(format!("unknown word for patchable: {}", text::quoted(other))),
        };
        let release = Some(self.release.clone());
        let mut affected = Affected::new(Ecosystem::Rpm, release, concerned.package, status);
        affected.name_kind = NameKind::Either;
        affected.remark = remark.map(str::to_owned);
        match concerned.version {
            Some(version) => affected.versions.push(version),
            None => affected.ranges.push(concerned.range),
        }
        Ok(affected)
    }
}

fn field<'a>(definition: &'a Definition, name: &str) -> &'a str {
    definition.metadata.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests;
