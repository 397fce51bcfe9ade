//! Seam only.
