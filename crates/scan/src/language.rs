//! Catalogers of the languages' own package records.

use crate::cataloger::Cataloger;

/// The languages' catalogers, in a fixed order.
pub(crate) const CATALOGERS: &[&dyn Cataloger] = &[];
