//! OVAL definitions about rpm packages: criteria, and the tests, objects and states they refer to.
//!
//! The parts of a file refer to one another by id and may stand in any order, so a file is read to
//! its end before anything is resolved. Kept is only what is needed for that; how much it can be
//! is bounded by the file's size ([`reader::DOCUMENT_BYTES_MAX`]). What a publisher puts into
//! `metadata` beside the standard's own fields is kept by element name.

mod criteria;
mod reader;

use std::collections::HashMap;

use pratique_model::Range;

pub(crate) use self::criteria::Criteria;
pub(crate) use self::reader::read;

/// A file, read to its end.
#[derive(Debug, Default)]
pub(crate) struct Oval {
    /// `generator/timestamp`, as it stands there.
    pub(crate) timestamp: String,
    /// The definitions, in their order.
    pub(crate) definitions: Vec<Definition>,
    tests: HashMap<String, Test>,
    /// Package names by the object's id.
    objects: HashMap<String, String>,
    states: HashMap<String, State>,
}

/// A definition: what is claimed, and when it holds.
#[derive(Debug, Default)]
pub(crate) struct Definition {
    /// `oval:…:def:33517`.
    pub(crate) id: String,
    /// `ref_id` and `ref_url` of the references.
    pub(crate) references: Vec<(String, String)>,
    /// The text of the other elements in `metadata` by local name, `title`, `severity` …
    pub(crate) metadata: HashMap<String, String>,
    /// When it holds; `None`: always.
    pub(crate) criteria: Option<Criteria>,
}

#[derive(Debug, Default)]
struct Test {
    object: String,
    state: Option<String>,
}

/// A condition on an installed package's version. What is not understood is told in `other`.
#[derive(Debug, Default)]
struct State {
    operation: String,
    version: String,
    other: Option<String>,
}

/// A package and the versions of it for which a definition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Concerned {
    /// The object's name.
    pub(crate) package: String,
    /// The range; with neither bound: every version.
    pub(crate) range: Range,
    /// Versions that are meant by equality.
    pub(crate) version: Option<String>,
}

impl Oval {
    /// For which packages and versions a definition holds; any of them suffices. An error says in
    /// words what is not understood, or which reference leads nowhere.
    pub(crate) fn concerned(&self, definition: &Definition) -> Result<Vec<Concerned>, String> {
        let Some(criteria) = &definition.criteria else {
            return Err("has no criteria".to_owned());
        };
        let alternatives = criteria.alternatives()?;
        alternatives.iter().map(|tests| self.together(tests)).collect()
    }

    /// The package and range for which all of `tests` hold.
    fn together(&self, tests: &[&str]) -> Result<Concerned, String> {
        let mut concerned: Option<Concerned> = None;
        for id in tests {
            let test = self.tests.get(*id).ok_or_else(|| format!("no test {id}"))?;
            let package = self
                .objects
                .get(&test.object)
                .ok_or_else(|| format!("no object {}", test.object))?;
            let known = concerned.get_or_insert_with(|| Concerned {
                package: package.clone(),
                range: Range::default(),
                version: None,
            });
            if known.package != *package {
                return Err(format!("joins the packages {} and {package}", known.package));
            }
            if let Some(state) = &test.state {
                let state = self.states.get(state).ok_or_else(|| format!("no state {state}"))?;
                state.narrow(known)?;
            }
        }
        concerned.ok_or_else(|| "has no tests".to_owned())
    }
}

impl State {
    /// Adds the condition. `greater than` is taken as `greater than or equal`: a range has no open
    /// lower bound, and the versions that stand there are no builds (`0.0.0.azl3`).
    fn narrow(&self, concerned: &mut Concerned) -> Result<(), String> {
        if let Some(other) = &self.other {
            return Err(format!("a state about {other}"));
        }
        let version = plain(&self.version);
        if version.is_empty() {
            return Err("a state without a version".to_owned());
        }
        let range = &mut concerned.range;
        let has_end = range.fixed.is_some() || range.last_affected.is_some();
        let bound = match self.operation.as_str() {
            "less than" if !has_end => &mut range.fixed,
            "less than or equal" if !has_end => &mut range.last_affected,
            "greater than" | "greater than or equal" if range.introduced.is_none() => {
                &mut range.introduced
            }
            "equals" if concerned.version.is_none() => &mut concerned.version,
            "less than"
            | "less than or equal"
            | "greater than"
            | "greater than or equal"
            | "equals" => return Err(format!("two states with {:?}", self.operation)),
            other => return Err(format!("a state with the operation {other:?}")),
        };
        *bound = Some(version);
        Ok(())
    }
}

/// An EVR as the rest of Pratique writes it: without the epoch `0`, and without the spaces that
/// stand in some (`0: 1.20.10-1.azl3`), which rpm passes over.
fn plain(version: &str) -> String {
    let version: String = version.chars().filter(|c| !c.is_whitespace()).collect();
    match version.strip_prefix("0:") {
        Some(rest) => rest.to_owned(),
        None => version,
    }
}
