//! Catalogers of the distributions' package databases.

use crate::cataloger::Cataloger;

/// The distributions' catalogers, in a fixed order.
pub(crate) const CATALOGERS: &[&dyn Cataloger] = &[];
