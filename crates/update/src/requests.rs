//! Wishes that parts be looked at now: by a signal, a command or the API.

use std::sync::{Arc, Mutex, PoisonError};

use pratique_clockwork::{Bell, Listener};

use crate::Selection;

/// How many wishes wait. More of them become one wish for everything.
const WISHES_MAX: usize = 64;

/// Where to leave wishes for an [`Updater`](crate::Updater). Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    wishes: Arc<Mutex<Vec<Selection>>>,
    bell: Bell,
}

impl Requests {
    /// A place without wishes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for parts to be looked at now. Those that are being worked on are not begun again: the
    /// work answers the wish. Parts that are switched off stay so.
    pub fn ask(&self, wanted: Selection) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        if wishes.len() == WISHES_MAX {
            *wishes = vec![Selection::All];
        }
        wishes.push(wanted);
        drop(wishes);
        self.bell.ring();
    }

    pub(crate) fn listen(&self) -> Listener {
        self.bell.listen()
    }

    pub(crate) fn take(&self) -> Vec<Selection> {
        std::mem::take(&mut *self.wishes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_beyond_the_limit_become_one_for_everything() {
        let requests = Requests::new();
        for _ in 0..=WISHES_MAX {
            requests.ask(Selection::Named(["debian".to_owned()].into()));
        }
        let wishes = requests.take();
        assert!(matches!(wishes[..], [Selection::All, Selection::Named(_)]), "{wishes:?}");
        assert!(requests.take().is_empty());
    }
}
