//! Points in time as containerd writes them.

use jiff::Timestamp;

use crate::wire;

/// The point in time; `None` when there is none, and for what lies outside the calendar. Go's zero
/// time, the year one, means *never*.
pub(crate) fn timestamp(time: Option<wire::Time>) -> Option<Timestamp> {
    const GO_ZERO_SECONDS: i64 = -62_135_596_800;
    let time = time.filter(|time| time.seconds > GO_ZERO_SECONDS)?;
    Timestamp::new(time.seconds, time.nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_none_are_not_made_up() {
        let at = |seconds, nanos| timestamp(Some(wire::Time { seconds, nanos }));
        assert_eq!(at(1, 5), Timestamp::new(1, 5).ok());
        assert_eq!(timestamp(None), None);
        assert_eq!(at(-62_135_596_800, 0), None);
        assert_eq!(at(i64::MAX, 0), None);
        assert_eq!(at(0, i32::MAX), None);
    }
}
