//! Finds what has expired without looking at what has not.
//!
//! A hierarchical timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
//! 1987): level 0 has a slot for each tick, each further level slots 64 times as long. An item
//! lies on the level of the highest digit in which its time differs from now, and moves down when
//! time comes near, so each item is touched at most once a level. Nothing is ever taken out early.

/// How many bits of a tick number a level covers.
const LEVEL_BITS: u32 = 6;

/// How many slots a level has; one bit of a `u64` each.
const SLOT_COUNT: usize = 1 << LEVEL_BITS;

/// How many levels there are: enough for every tick number, so that no time lies too far off.
const LEVEL_COUNT: usize = 11;

/// Items by the tick at which they expire.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    now: u64,
    slots: Vec<Vec<(u64, T)>>,
    /// Which slots of each level hold something.
    occupied: [u64; LEVEL_COUNT],
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Self {
        let slots = (0..LEVEL_COUNT * SLOT_COUNT).map(|_| Vec::new()).collect();
        Self { now: 0, slots, occupied: [0; LEVEL_COUNT] }
    }

    /// Adds an item. One whose tick has passed expires at the next [`Self::advance`].
    pub(super) fn insert(&mut self, at: u64, item: T) {
        let at = at.max(self.now);
        let digit = (self.now ^ at).checked_ilog2().unwrap_or(0) / LEVEL_BITS;
        let slot = (at >> (digit * LEVEL_BITS)) & (SLOT_COUNT as u64 - 1);
        let (level, slot) = (digit as usize, usize::try_from(slot).expect("six bits"));
        self.occupied[level] |= 1 << slot;
        self.slots[level * SLOT_COUNT + slot].push((at, item));
    }

    /// Moves to tick `to` and calls `expire` for every item up to it, earlier ticks first and
    /// those of one tick in the order of their arrival. Time does not go back.
    pub(super) fn advance(&mut self, to: u64, mut expire: impl FnMut(T)) {
        while let Some((level, slot, start)) = self.first() {
            if start > to {
                break;
            }
            self.now = start.max(self.now);
            self.occupied[level] &= !(1 << slot);
            for (at, item) in std::mem::take(&mut self.slots[level * SLOT_COUNT + slot]) {
                if at <= self.now {
                    expire(item);
                } else {
                    self.insert(at, item);
                }
            }
        }
        self.now = to.max(self.now);
    }

    /// A tick before which nothing expires, and at which it is worth looking; `None` when there
    /// is nothing to wait for.
    pub(super) fn next_tick(&self) -> Option<u64> {
        self.first().map(|(_, _, start)| start)
    }

    /// The slot that is due first, and when it begins. Lower levels hold what is nearer.
    fn first(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let slot = self.occupied[level].trailing_zeros();
        let shift = u32::try_from(level).expect("few levels") * LEVEL_BITS;
        let above = self.now.checked_shr(shift + LEVEL_BITS).unwrap_or(0);
        let above = above.checked_shl(shift + LEVEL_BITS).unwrap_or(0);
        Some((level, slot as usize, above | u64::from(slot) << shift))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_tick_there_is_expires_too() {
        let mut wheel = Wheel::new();
        wheel.insert(u64::MAX, "last");
        wheel.insert(u64::MAX - 1, "last but one");
        let mut expired = Vec::new();
        wheel.advance(u64::MAX - 2, |item| expired.push(item));
        assert_eq!(expired, Vec::<&str>::new());
        wheel.advance(u64::MAX, |item| expired.push(item));
        assert_eq!(expired, ["last but one", "last"]);
        assert_eq!(wheel.next_tick(), None);
    }

    proptest! {
        #[test]
        fn items_expire_at_their_tick_and_in_order(
            steps in prop::collection::vec((0_u64..400_000, 0_u64..200_000), 1..60),
            origin in 0_u64..1 << 40,
        ) {
            let (mut wheel, mut waiting) = (Wheel::new(), Vec::new());
            wheel.advance(origin, |_: u64| ());
            let mut now = origin;
            for (after, pace) in steps {
                wheel.insert(now + after, now + after);
                waiting.push(now + after);
                let to = now + pace;
                // Going by the wheel's own advice misses nothing.
                while let Some(tick) = wheel.next_tick().filter(|tick| *tick <= to) {
                    prop_assert!(waiting.iter().all(|at| *at >= tick.min(now)));
                    wheel.advance(tick, |at| {
                        assert_eq!(at, tick.max(now), "early or late");
                        let place = waiting.iter().position(|other| *other == at);
                        waiting.swap_remove(place.expect("was waiting"));
                    });
                    now = now.max(tick);
                }
                now = to;
                wheel.advance(now, |_| panic!("the advice missed one"));
                prop_assert!(waiting.iter().all(|at| *at > now));
            }
        }
    }
}
