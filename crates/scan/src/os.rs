//! Catalogers of the distributions' package databases.

mod apk;
mod dpkg;
pub(crate) mod rpm;

use crate::cataloger::Cataloger;

/// The distributions' catalogers, in a fixed order.
pub(crate) const CATALOGERS: &[&dyn Cataloger] = &[&dpkg::Dpkg, &apk::Apk, &rpm::Rpm];
