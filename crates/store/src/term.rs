//! Texts and scopes that many rows share, kept once and named by number.
//!
//! Both maps are only caches of their tables and are emptied when they grow large, so a feed of
//! nothing but different remarks costs time, not memory.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use pratique_model::{Cvss, CvssVersion, Ecosystem, Release};

use crate::StoreError;
use crate::encoding;
use crate::error::Doing as _;

/// How many texts are kept at hand; those of all default sources are a fifth of it.
const CACHED_MAX: usize = 65_536;

/// What is known of `term` and `scope` by number.
#[derive(Default)]
pub(crate) struct TermReader {
    texts: HashMap<i64, Arc<str>>,
    scores: HashMap<i64, Cvss>,
}

impl TermReader {
    /// The text of a term.
    pub(crate) fn text(
        &mut self,
        connection: &Connection,
        id: i64,
    ) -> Result<Arc<str>, StoreError> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(Arc::clone(text));
        }
        let text: Option<Arc<str>> = connection
            .prepare_cached("SELECT text FROM term WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
            .doing("reading a term")?;
        let text = text.ok_or_else(|| StoreError::damaged(format!("term {id} is missing")))?;
        if self.texts.len() >= CACHED_MAX {
            self.texts.clear();
        }
        self.texts.insert(id, Arc::clone(&text));
        Ok(text)
    }

    /// The scores of a column `cvss`: term numbers between spaces.
    pub(crate) fn cvss(
        &mut self,
        connection: &Connection,
        column: Option<&str>,
    ) -> Result<Vec<Cvss>, StoreError> {
        let Some(column) = column else { return Ok(Vec::new()) };
        let mut scores = Vec::new();
        for id in column.split(' ') {
            let id = id.parse().map_err(|_| StoreError::damaged(format!("scores {column:?}")))?;
            if !self.scores.contains_key(&id) {
                let cvss = score(&self.text(connection, id)?)?;
                if self.scores.len() >= CACHED_MAX {
                    self.scores.clear();
                }
                self.scores.insert(id, cvss);
            }
            scores.extend(self.scores.get(&id).cloned());
        }
        Ok(scores)
    }

    /// Forgets everything: numbers may have been given anew after a transaction was rolled back.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.scores.clear();
    }
}

/// Gives numbers to texts and scopes within one transaction.
#[derive(Default)]
pub(crate) struct TermWriter {
    terms: HashMap<String, i64>,
    scopes: HashMap<Ecosystem, HashMap<String, i64>>,
}

impl TermWriter {
    /// The number of a text, given now if it has none.
    pub(crate) fn term(&mut self, connection: &Connection, text: &str) -> Result<i64, StoreError> {
        if let Some(id) = self.terms.get(text) {
            return Ok(*id);
        }
        let id = number_of(
            connection,
            "SELECT id FROM term WHERE text = ?1",
            "INSERT INTO term (text) VALUES (?1)",
            params![text],
        )
        .doing("writing a term")?;
        if self.terms.len() >= CACHED_MAX {
            self.terms.clear();
        }
        self.terms.insert(text.to_owned(), id);
        Ok(id)
    }

    /// The number of a text, if there is one.
    pub(crate) fn optional(
        &mut self,
        connection: &Connection,
        text: Option<&str>,
    ) -> Result<Option<i64>, StoreError> {
        text.map(|text| self.term(connection, text)).transpose()
    }

    /// The column `cvss` of a list of scores.
    pub(crate) fn cvss(
        &mut self,
        connection: &Connection,
        scores: &[Cvss],
    ) -> Result<Option<String>, StoreError> {
        let mut column = String::new();
        for score in scores {
            if !column.is_empty() {
                column.push(' ');
            }
            let id = self.term(connection, &score_text(score))?;
            column.push_str(&id.to_string());
        }
        Ok((!column.is_empty()).then_some(column))
    }

    /// The number of a scope.
    pub(crate) fn scope(
        &mut self,
        connection: &Connection,
        ecosystem: Ecosystem,
        release: Option<&Release>,
    ) -> Result<i64, StoreError> {
        let text = release.map_or("", Release::as_str);
        let scopes = self.scopes.entry(ecosystem).or_default();
        if let Some(id) = scopes.get(text) {
            return Ok(*id);
        }
        let id = number_of(
            connection,
            "SELECT id FROM scope WHERE ecosystem = ?1 AND \"release\" = ?2",
            "INSERT INTO scope (ecosystem, \"release\") VALUES (?1, ?2)",
            params![ecosystem.as_str(), text],
        )
        .doing("writing a scope")?;
        if scopes.len() >= CACHED_MAX {
            scopes.clear();
        }
        scopes.insert(text.to_owned(), id);
        Ok(id)
    }
}

fn number_of(
    connection: &Connection,
    select: &str,
    insert: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<i64, rusqlite::Error> {
    let found: Option<i64> =
        connection.prepare_cached(select)?.query_row(values, |row| row.get(0)).optional()?;
    match found {
        Some(id) => Ok(id),
        None => connection.prepare_cached(insert)?.insert(values),
    }
}

/// A score as a term: source, version, score and vector as a list.
fn score_text(cvss: &Cvss) -> String {
    let score = cvss.score.to_string();
    let items = [&*cvss.source, cvss.version.as_str(), &score, &cvss.vector];
    encoding::list(&items).expect("four items make a text")
}

fn score(text: &str) -> Result<Cvss, StoreError> {
    let damaged = || StoreError::damaged(format!("score {text:?}"));
    let [source, version, score, vector]: [String; 4] =
        encoding::items(Some(text))?.try_into().map_err(|_| damaged())?;
    let version = [CvssVersion::V2, CvssVersion::V3_0, CvssVersion::V3_1, CvssVersion::V4]
        .into_iter()
        .find(|known| known.as_str() == version)
        .ok_or_else(damaged)?;
    let score = score.parse().map_err(|_| damaged())?;
    Ok(Cvss { version, vector, score, source })
}
