//! FIRST's exploit prediction scores.
//!
//! One CSV file. Surprising: before the header stands a comment with the model's version and the
//! day of its run, and that day is the date of every score.

use std::io::BufRead;
use std::io::Read as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pratique_model::{Enrichment, Epss, Note, PartId, is_cve};

use crate::text::quoted;
use crate::{
    Container, Coverage, Document, EVERY_SIX_HOURS, FeedError, Parser, Part, Sink, Source,
    SourceKind, Summary,
};

const PARSER_VERSION: u32 = 1;

const URL: &str = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";

/// How long a line may be, in bytes; they have some thirty.
const LINE_BYTES_MAX: usize = 1024;

/// The source `epss`.
pub(crate) struct EpssScores;

/// Reads the scores.
#[derive(Default)]
struct EpssParser {
    scored_at: Option<Timestamp>,
}

impl Source for EpssScores {
    fn name(&self) -> &'static str {
        "epss"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Enrichment
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        vec![Part {
            id: PartId::new("epss", "epss"),
            documents: vec![Document {
                url: URL.to_owned(),
                container: Container::Gzip,
                optional: false,
            }],
            covers: Coverage::AllVulnerabilities,
            parser_version: PARSER_VERSION,
        }]
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        Box::<EpssParser>::default()
    }

    fn interval(&self, _part: &PartId, _year: u16) -> Duration {
        EVERY_SIX_HOURS
    }
}

impl Parser for EpssParser {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        let mut line = Vec::new();
        let mut line_count = 0_u64;
        let mut is_below_header = false;
        while read_line(path, content, &mut line)? {
            line_count += 1;
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if let Some(comment) = text.strip_prefix('#') {
                self.scored_at = self.scored_at.or_else(|| scored_at(comment));
            } else if !is_below_header {
                if text != "cve,epss,percentile" {
                    let problem = format!("expected cve,epss,percentile: {}", quoted(text));
                    return Err(FeedError::form(path, problem));
                }
                is_below_header = true;
            } else if !text.is_empty() {
                let date = self.date(path)?;
                match score(text, date) {
                    Some(score) => sink.enrichment(Enrichment::Epss(score)),
                    None => sink.quarantine(Note {
                        subject: format!("line {line_count}"),
                        text: format!("not a CVE id and two numbers: {}", quoted(text)),
                    }),
                }
            }
        }
        if is_below_header {
            Ok(())
        } else {
            Err(FeedError::form(path, "has no header".to_owned()))
        }
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        Ok(Summary { as_of: self.scored_at })
    }
}

impl EpssParser {
    fn date(&self, path: &str) -> Result<Date, FeedError> {
        let at = self.scored_at.ok_or_else(|| {
            FeedError::form(path, "no score_date stands before the header".to_owned())
        })?;
        Ok(at.to_zoned(TimeZone::UTC).date())
    }
}

/// Reads a line with its end; `false` at the end of the file.
fn read_line(path: &str, content: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, FeedError> {
    line.clear();
    content
        .take(LINE_BYTES_MAX as u64)
        .read_until(b'\n', line)
        .map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
    if line.len() == LINE_BYTES_MAX && !line.ends_with(b"\n") {
        let problem = format!("a line is longer than {LINE_BYTES_MAX} bytes");
        return Err(FeedError::form(path, problem));
    }
    Ok(!line.is_empty())
}

/// The date in `model_version:v2025.03.14,score_date:2026-08-16T12:55:00Z`; older files write the
/// zone as `+0000`.
fn scored_at(comment: &str) -> Option<Timestamp> {
    let text = comment.split(',').find_map(|pair| pair.trim().strip_prefix("score_date:"))?.trim();
    text.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).ok())
}

fn score(line: &str, date: Date) -> Option<Epss> {
    let mut fields = line.split(',');
    let (vulnerability, score, percentile) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || !is_cve(vulnerability) {
        return None;
    }
    let share = |text: &str| -> Option<f64> {
        text.parse().ok().filter(|number| (0.0..=1.0).contains(number))
    };
    Some(Epss {
        vulnerability: vulnerability.to_owned(),
        score: share(score)?,
        percentile: share(percentile)?,
        date,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::collector::Collector;

    fn read(text: &str) -> Result<(Collector, Option<String>), String> {
        let (mut parser, mut sink) = (EpssParser::default(), Collector::default());
        parser.file("e.csv", &mut text.as_bytes(), &mut sink).map_err(|error| error.to_string())?;
        let summary = parser.finish(&mut sink).expect("whole");
        Ok((sink, summary.as_of.map(|at| at.to_string())))
    }

    #[test]
    fn trap_8_epss_has_a_comment_before_its_header() {
        for (zone, end) in [("Z", "\n"), ("+0000", "\r\n")] {
            let text = [
                &format!("#model_version:v2025.03.14,score_date:2026-08-16T12:55:00{zone}"),
                "cve,epss,percentile",
                "CVE-2021-44228,0.94358,0.99957",
                "CVE-1999-0001,0,1",
                "",
            ]
            .join(end);
            let (sink, as_of) = read(&text).expect("readable");
            let fact = |id: &str, score, percentile| {
                let (vulnerability, date) = (id.to_owned(), date(2026, 8, 16));
                Enrichment::Epss(Epss { vulnerability, score, percentile, date })
            };
            assert_eq!(
                sink.enrichments,
                [fact("CVE-2021-44228", 0.94358, 0.99957), fact("CVE-1999-0001", 0.0, 1.0)]
            );
            assert_eq!(as_of.as_deref(), Some("2026-08-16T12:55:00Z"));
        }
    }

    #[test]
    fn lines_that_are_no_scores_are_put_aside() {
        let text = "#score_date:2026-08-16T00:00:00Z\ncve,epss,percentile\nCVE-1,0.1,0.1\n\
                    CVE-2020-0001,1.5,0.1\nCVE-2020-0001,0.1\nCVE-2020-0001,0.1,NaN\n\
                    CVE-2020-0001,0.1,0.2,0.3\nCVE-2020-0002,0.1,0.2";
        let (sink, _) = read(text).expect("readable");
        assert_eq!(sink.enrichments.len(), 1);
        let aside: Vec<&str> = sink.quarantined.iter().map(|note| note.subject.as_str()).collect();
        assert_eq!(aside, ["line 3", "line 4", "line 5", "line 6", "line 7"]);
    }

    #[test]
    fn files_of_another_form_fail_the_part() {
        let long = "#".repeat(LINE_BYTES_MAX + 1);
        for bad in
            ["", "#score_date:2026-08-16T00:00:00Z\n", "a,b\n", "cve,epss,percentile\nx,0,0", &long]
        {
            assert!(read(bad).is_err(), "{bad:?} was taken");
        }
    }
}
