//! Turns a row into a finding that explains itself.

use std::collections::HashMap;

use jiff::Timestamp;

use pratique_model::{
    AdvisoryReference, Affected, Comparison, Explanation, Finding, NameKind, Package, PartId,
    Range, Status,
};
use pratique_store::Facts;

use crate::hit::Outcome;
use crate::rating::{Rating, Voice, rate};
use crate::row::{Row, Spoken};

/// What findings are made from beside the rows.
pub(crate) struct Surroundings<'a> {
    pub(crate) packages: &'a [Package],
    pub(crate) facts: &'a HashMap<String, Facts>,
    /// The date of each part's data.
    pub(crate) dates: &'a HashMap<PartId, Timestamp>,
    /// Stands for the date of a part that has none.
    pub(crate) now: Timestamp,
}

/// Makes the finding of a row.
pub(crate) fn finding(row: &Row<'_>, surroundings: &Surroundings<'_>) -> Finding {
    let chosen = &row.voices[0];
    let package = &surroundings.packages[row.package_index];
    let nothing = Facts::default();
    let facts = surroundings.facts.get(row.id).unwrap_or(&nothing);
    let rating = rating(row, facts);
    let affected = &chosen.hit.statement.affected;
    let fixed = chosen.hit.outcome.fixed();
    let advisory = &chosen.published.advisory;
    Finding {
        id: row.id.to_owned(),
        aliases: row.aliases(),
        package_index: row.package_index,
        installed: package.version.clone(),
        fixed: fixed.map(str::to_owned),
        status: status(affected.status, fixed.is_some()),
        remark: affected.remark.clone(),
        severity: rating.severity,
        severity_source: rating.severity_source,
        cvss: rating.cvss,
        epss: facts.epss.clone(),
        kev: facts.kev.clone(),
        risk: rating.risk,
        advisory: AdvisoryReference {
            source: chosen.published.part.source().to_owned(),
            id: advisory.id.clone(),
            url: advisory.url.clone(),
        },
        unparsable: match &chosen.hit.outcome {
            Outcome::Proven(_) => None,
            Outcome::Doubtful(doubt) => Some(doubt.why.clone()),
        },
        explanation: explanation(chosen, surroundings, rating.why),
    }
}

fn rating(row: &Row<'_>, facts: &Facts) -> Rating {
    if let [only] = &row.voices[..] {
        return rate(&[voice_of(only)], facts);
    }
    let voices: Vec<Voice<'_>> = row.voices.iter().map(voice_of).collect();
    rate(&voices, facts)
}

pub(crate) fn voice_of<'b>(spoken: &'b Spoken<'_>) -> Voice<'b> {
    Voice {
        source: spoken.published.part.source(),
        advisory: &spoken.published.advisory,
        affected: &spoken.hit.statement.affected,
    }
}

/// `fixed` and `affected` follow from whether a version mends it; the other statuses stay.
pub(crate) fn status(stated: Status, has_fix: bool) -> Status {
    match stated {
        Status::Affected | Status::Fixed if has_fix => Status::Fixed,
        Status::Affected | Status::Fixed => Status::Affected,
        other => other,
    }
}

fn explanation(
    chosen: &Spoken<'_>,
    surroundings: &Surroundings<'_>,
    severity: String,
) -> Explanation {
    let affected = &chosen.hit.statement.affected;
    let (compared, range, comparison) = match &chosen.hit.outcome {
        Outcome::Proven(proof) => (proof.compared, proof.range, proof.comparison),
        Outcome::Doubtful(doubt) => (doubt.compared, doubt.range, Comparison::Unknown),
    };
    let part = chosen.published.part.clone();
    Explanation {
        looked_up: looked_up(affected, &chosen.hit, surroundings),
        compared: compared.to_owned(),
        range: range_in_words(range, comparison),
        comparison,
        as_of: surroundings.dates.get(&part).copied().unwrap_or(surroundings.now),
        part,
        severity,
    }
}

/// `source package openssl in alpine:3.10`, `package golang.org/x/text in golang`.
fn looked_up(affected: &Affected, hit: &crate::hit::Hit<'_>, around: &Surroundings<'_>) -> String {
    let package = &around.packages[hit.package_index];
    let is_source = match affected.name_kind {
        NameKind::Binary => false,
        NameKind::Source => true,
        NameKind::Either => package.name != affected.package,
    };
    let kind = if is_source { "source package" } else { "package" };
    let place = match &affected.release {
        Some(release) => release.as_str(),
        None => affected.ecosystem.as_str(),
    };
    let mut text = format!("{kind} {} in {place}", affected.package);
    if let Some(module) = &affected.module {
        text.push_str(", module ");
        text.push_str(module);
    }
    text
}

/// `< 1.1.1d-r2`, `>= 2.0, < 2.15.0`, `every version`, `listed by name`.
fn range_in_words(range: Option<&Range>, comparison: Comparison) -> String {
    let Some(range) = range else {
        let words = match comparison {
            Comparison::Listed => "listed by name",
            _ => "every version",
        };
        return words.to_owned();
    };
    let ends = [
        (">=", range.introduced.as_deref().filter(|version| *version != "0")),
        ("<", range.fixed.as_deref()),
        ("<=", range.last_affected.as_deref()),
    ];
    let mut text = String::new();
    for (sign, version) in ends {
        let Some(version) = version else { continue };
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(sign);
        text.push(' ');
        text.push_str(version);
    }
    if text.is_empty() { "every version".to_owned() } else { text }
}
