//! The image view: what each name means, as it was last asked.
//!
//! Whatever an event says, the name is looked up again, so a name that was moved, or taken away
//! while its image stays under another, is right after one question.

use pratique_clockwork::queue::Taken;
use pratique_model::{Digest, Notice, NoticeKind};

use crate::event::Event;
use crate::key::Key;
use crate::runtime::Runtime;

use super::Desk;
use super::pending::{Pending, Result as Judged};

impl<R: Runtime> Desk<R> {
    /// Holds what a name means against what it meant.
    pub(super) fn judge_image(&mut self, taken: Taken<Key, Event>, found: Option<Option<Digest>>) {
        let notice = change(&taken.key, &taken.event, self.images.get(&taken.key), found);
        let pending =
            Pending { taken: Some(taken), result: Judged::Image { digest: found, notice } };
        self.keep(pending);
    }
}

/// What there is to tell when a name meant `known` and means `found`.
fn change(
    key: &Key,
    event: &Event,
    known: Option<&Option<Digest>>,
    found: Option<Option<Digest>>,
) -> Option<Notice> {
    if known == found.as_ref() {
        return None;
    }
    let kind = match found {
        Some(_) => NoticeKind::ImagePresent,
        None => NoticeKind::ImageGone,
    };
    let mut notice = Notice::new(kind, event.at, event.source);
    notice.namespace = key.namespace.to_string();
    notice.id = key.id.to_string();
    notice.name = Some(key.id.to_string());
    notice.digest = found.or(known.copied()).flatten();
    Some(notice)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pratique_model::NoticeSource;

    use crate::event::What;

    use super::*;

    #[test]
    fn only_what_a_name_means_otherwise_is_told() {
        let digest = |digit: char| -> Digest {
            format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")
        };
        let (a, b) = (digest('a'), digest('b'));
        let key = Key::image("ns", "registry.example/cart:1");
        let event = Event::new(Timestamp::UNIX_EPOCH, NoticeSource::Event, What::Look);
        let told = |known: Option<Option<Digest>>, found| {
            change(&key, &event, known.as_ref(), found).map(|notice| (notice.kind, notice.digest))
        };
        assert_eq!(told(None, None), None);
        assert_eq!(told(Some(Some(a)), Some(Some(a))), None);
        assert_eq!(told(None, Some(Some(a))), Some((NoticeKind::ImagePresent, Some(a))));
        assert_eq!(told(Some(Some(a)), Some(Some(b))), Some((NoticeKind::ImagePresent, Some(b))));
        assert_eq!(told(Some(Some(a)), None), Some((NoticeKind::ImageGone, Some(a))));
        assert_eq!(told(None, Some(None)), Some((NoticeKind::ImagePresent, None)));
    }
}
