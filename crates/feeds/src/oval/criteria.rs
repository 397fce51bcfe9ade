//! When an OVAL definition holds: a tree of tests joined by AND and OR.

/// How deep criteria may be nested: real ones have two or three levels.
pub(super) const DEPTH_MAX: usize = 32;

/// How many alternatives a tree may come to when it is multiplied out.
const ALTERNATIVES_MAX: usize = 4096;

/// A tree of tests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Criteria {
    /// The test of this id.
    Test(String),
    /// All of them (`AND`).
    All(Vec<Criteria>),
    /// Any of them (`OR`).
    Any(Vec<Criteria>),
    /// What is not understood, in words: another operator, `negate`, `extend_definition`.
    Unknown(String),
}

impl Criteria {
    /// The tree multiplied out: it holds when all tests of any alternative hold. An error says in
    /// words what is not understood.
    pub(super) fn alternatives(&self) -> Result<Vec<Vec<&str>>, String> {
        match self {
            Self::Test(id) => Ok(vec![vec![id]]),
            Self::Any(members) => {
                let mut all = Vec::new();
                for member in members {
                    all.extend(member.alternatives()?);
                    limited(all.len())?;
                }
                Ok(all)
            }
            Self::All(members) => {
                let mut all: Vec<Vec<&str>> = vec![Vec::new()];
                for member in members {
                    let next = member.alternatives()?;
                    limited(all.len().saturating_mul(next.len()))?;
                    let mut joined = Vec::with_capacity(all.len() * next.len());
                    for first in &all {
                        joined.extend(next.iter().map(|second| [&first[..], second].concat()));
                    }
                    all = joined;
                }
                Ok(all)
            }
            Self::Unknown(what) => Err(what.clone()),
        }
    }
}

fn limited(count: usize) -> Result<(), String> {
    if count > ALTERNATIVES_MAX {
        return Err(format!("criteria with more than {ALTERNATIVES_MAX} alternatives"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(id: &str) -> Criteria {
        Criteria::Test(id.to_owned())
    }

    #[test]
    fn a_tree_is_multiplied_out() {
        let any = Criteria::Any(vec![test("b"), test("c")]);
        let all = Criteria::All(vec![test("a"), any, test("d")]);
        assert_eq!(all.alternatives(), Ok(vec![vec!["a", "b", "d"], vec!["a", "c", "d"]]));
        assert_eq!(Criteria::Any(vec![]).alternatives(), Ok(vec![]));
    }

    #[test]
    fn a_tree_that_explodes_is_refused() {
        let pair = || Criteria::Any(vec![test("a"), test("b")]);
        let all = Criteria::All((0..64).map(|_| pair()).collect());
        assert!(all.alternatives().unwrap_err().contains("alternatives"));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let tree = Criteria::All(vec![test("a"), Criteria::Unknown("negate".to_owned())]);
        assert_eq!(tree.alternatives(), Err("negate".to_owned()));
    }
}
