//! Texts and scopes that many rows share, kept once and named by number.
//!
//! The maps are only caches of their tables and are emptied when they grow large, so a feed of
//! nothing but different remarks costs time, not memory. With PostgreSQL they are filled ahead,
//! since every single look-up is a journey; there, two who write at the same time may both add the
//! same text under two numbers, which costs a row and harms nothing, as texts are only ever asked
//! for by number.

use std::collections::HashMap;
use std::sync::Arc;

use pratique_model::{Cvss, CvssVersion, Ecosystem, Release};

use crate::aside::{Aside, Numbers};
use crate::session::{Row, RowSink, Session, values};
use crate::{StoreError, encoding};

/// How many texts are kept at hand; those of all default sources are a fifth of it.
const CACHED_MAX: usize = 65_536;

/// What is known of `term` and `scope` by number.
#[derive(Default)]
pub(crate) struct TermReader {
    texts: HashMap<i64, Arc<str>>,
    scores: HashMap<i64, Cvss>,
    scopes: HashMap<i64, (Ecosystem, Option<Release>)>,
    /// All texts up to this number were read ahead.
    ahead: i64,
}

impl TermReader {
    /// The text of a term.
    pub(crate) fn text(&mut self, session: &dyn Session, id: i64) -> Result<Arc<str>, StoreError> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(Arc::clone(text));
        }
        let doing = "reading a term";
        if session.sqlite().is_none() && id > self.ahead && self.texts.len() < CACHED_MAX {
            let sql = "SELECT id, text FROM term WHERE id > ?1 ORDER BY id LIMIT ?2";
            session.query(doing, sql, values![self.ahead, CACHED_MAX as u64], &mut |row| {
                self.ahead = row.integer(0)?;
                self.texts.insert(self.ahead, row.text(1)?.into());
                Ok(())
            })?;
            if let Some(text) = self.texts.get(&id) {
                return Ok(Arc::clone(text));
            }
        }
        let sql = "SELECT text FROM term WHERE id = ?1";
        let text = session.first(doing, sql, values![id], |row| row.text(0).map(Arc::from))?;
        let text: Arc<str> =
            text.ok_or_else(|| StoreError::damaged(format!("term {id} is missing")))?;
        if self.texts.len() >= CACHED_MAX {
            self.texts.clear();
        }
        self.texts.insert(id, Arc::clone(&text));
        Ok(text)
    }

    /// The scores of a column `cvss`: term numbers between spaces.
    pub(crate) fn cvss(
        &mut self,
        session: &dyn Session,
        column: Option<&str>,
    ) -> Result<Vec<Cvss>, StoreError> {
        let Some(column) = column else { return Ok(Vec::new()) };
        let mut scores = Vec::new();
        for id in column.split(' ') {
            let id = id.parse().map_err(|_| StoreError::damaged(format!("scores {column:?}")))?;
            if !self.scores.contains_key(&id) {
                let cvss = score(&self.text(session, id)?)?;
                if self.scores.len() >= CACHED_MAX {
                    self.scores.clear();
                }
                self.scores.insert(id, cvss);
            }
            scores.extend(self.scores.get(&id).cloned());
        }
        Ok(scores)
    }

    /// What a scope's number stands for.
    pub(crate) fn scope(
        &mut self,
        session: &dyn Session,
        id: i64,
    ) -> Result<(Ecosystem, Option<Release>), StoreError> {
        if !self.scopes.contains_key(&id) {
            let sql = "SELECT id, ecosystem, \"release\" FROM scope";
            let all = session.all("reading the releases", sql, &[], scope_of)?;
            self.scopes.extend(all);
        }
        let scope = self.scopes.get(&id).cloned();
        scope.ok_or_else(|| StoreError::damaged(format!("scope {id} is missing")))
    }

    /// Forgets everything: numbers may have been given anew after a transaction was rolled back.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Gives numbers to texts and scopes while one part is written.
pub(crate) struct TermWriter<'a> {
    session: &'a dyn Session,
    aside: &'a Aside<'a>,
    terms: HashMap<String, i64>,
    /// Whether a text that is not in `terms` is in no row either.
    is_complete: bool,
    scopes: HashMap<Ecosystem, HashMap<String, i64>>,
    numbers: Numbers,
    new: Box<dyn RowSink + 'a>,
}

impl<'a> TermWriter<'a> {
    pub(crate) fn new(session: &'a dyn Session, aside: &'a Aside<'a>) -> Result<Self, StoreError> {
        let mut terms = HashMap::new();
        let is_ahead = session.sqlite().is_none();
        if is_ahead {
            let sql = "SELECT id, text FROM term ORDER BY id LIMIT ?1";
            session.query("reading terms", sql, values![CACHED_MAX as u64], &mut |row| {
                terms.insert(row.string(1)?, row.integer(0)?);
                Ok(())
            })?;
        }
        Ok(Self {
            session,
            aside,
            is_complete: is_ahead && terms.len() < CACHED_MAX,
            terms,
            scopes: HashMap::new(),
            numbers: Numbers::of("term"),
            new: session.bulk("writing a term", "term", "id, text")?,
        })
    }

    /// The number of a text, given now if it has none.
    pub(crate) fn term(&mut self, text: &str) -> Result<i64, StoreError> {
        if let Some(id) = self.terms.get(text) {
            return Ok(*id);
        }
        let mut found = None;
        if !self.is_complete {
            let sql = "SELECT id FROM term WHERE text = ?1";
            found =
                self.session.first("reading a term", sql, values![text], |row| row.integer(0))?;
        }
        let id = match found {
            Some(id) => id,
            None => {
                let id = self.numbers.take(self.aside)?;
                self.new.row(values![id, text])?;
                id
            }
        };
        if self.terms.len() >= CACHED_MAX {
            self.terms.clear();
            self.is_complete = false;
        }
        self.terms.insert(text.to_owned(), id);
        Ok(id)
    }

    /// The number of a text, if there is one.
    pub(crate) fn optional(&mut self, text: Option<&str>) -> Result<Option<i64>, StoreError> {
        text.map(|text| self.term(text)).transpose()
    }

    /// The column `cvss` of a list of scores.
    pub(crate) fn cvss(&mut self, scores: &[Cvss]) -> Result<Option<String>, StoreError> {
        let mut column = String::new();
        for score in scores {
            if !column.is_empty() {
                column.push(' ');
            }
            let id = self.term(&score_text(score))?;
            column.push_str(&id.to_string());
        }
        Ok((!column.is_empty()).then_some(column))
    }

    /// The number of a scope.
    pub(crate) fn scope(
        &mut self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
    ) -> Result<i64, StoreError> {
        let text = release.map_or("", Release::as_str);
        let scopes = self.scopes.entry(ecosystem).or_default();
        if let Some(id) = scopes.get(text) {
            return Ok(*id);
        }
        let id = scope_number(self.aside.session(), ecosystem, text)?;
        if scopes.len() >= CACHED_MAX {
            scopes.clear();
        }
        scopes.insert(text.to_owned(), id);
        Ok(id)
    }

    /// Writes what still waits.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.new.finish().map(|_| ())
    }
}

/// The number of a scope, given now if it has none.
fn scope_number(
    session: &dyn Session,
    ecosystem: Ecosystem,
    release: &str,
) -> Result<i64, StoreError> {
    let doing = "writing a scope";
    let values = values![ecosystem.as_str(), release];
    let find = || {
        let sql = "SELECT id FROM scope WHERE ecosystem = ?1 AND \"release\" = ?2";
        session.first(doing, sql, values, |row| row.integer(0))
    };
    if let Some(id) = find()? {
        return Ok(id);
    }
    let sql = "INSERT INTO scope (ecosystem, \"release\") VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    session.execute(doing, sql, values)?;
    find()?.ok_or_else(|| StoreError::damaged("a scope that was just added"))
}

fn scope_of(row: &Row<'_>) -> Result<(i64, (Ecosystem, Option<Release>)), StoreError> {
    let ecosystem = row.text(1)?.parse();
    let ecosystem = ecosystem.map_err(|error: pratique_model::UnknownEcosystem| {
        StoreError::damaged(error.to_string())
    })?;
    let release = Some(row.text(2)?).filter(|release| !release.is_empty());
    Ok((row.integer(0)?, (ecosystem, release.map(Release::from_text))))
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
