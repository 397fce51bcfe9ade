//! What tells one version of a part from another: the fingerprints of its documents.
//!
//! In the store it is one text: for each document a line `url …` and the lines of its fingerprint,
//! or `absent`; and what is remembered of the list of the newest entries (see [`crate::tip`]). A
//! document whose address changed is one that was never seen.

use std::collections::BTreeMap;

use jiff::Timestamp;

use pratique_fetch::Fingerprint;

use crate::tip::TipState;

/// What a document was like when it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was there.
    Present(Fingerprint),
    /// It was optional, and not there.
    Absent,
}

/// The documents of a part, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartFingerprint {
    documents: BTreeMap<String, Seen>,
    tip: Option<TipState>,
}

impl PartFingerprint {
    /// Reads the text form. What cannot be read is not known: the document is then fetched.
    pub(crate) fn parse(text: &str) -> Self {
        let mut documents = BTreeMap::new();
        let mut tip = None;
        for block in text.split("\n\n") {
            if let Some(text) = block.strip_prefix("tip ") {
                tip = TipState::parse(text);
                continue;
            }
            let Some((url, rest)) = block.split_once('\n') else { continue };
            let Some(url) = url.strip_prefix("url ") else { continue };
            let seen = match rest {
                "absent" => Some(Seen::Absent),
                rest => rest.parse().ok().map(Seen::Present),
            };
            if let Some(seen) = seen {
                documents.insert(url.to_owned(), seen);
            }
        }
        Self { documents, tip }
    }

    /// The text form.
    pub(crate) fn to_text(&self) -> String {
        let mut blocks: Vec<String> = self
            .documents
            .iter()
            .map(|(url, seen)| match seen {
                Seen::Present(fingerprint) => format!("url {url}\n{fingerprint}"),
                Seen::Absent => format!("url {url}\nabsent"),
            })
            .collect();
        blocks.extend(self.tip.as_ref().map(TipState::to_text));
        blocks.join("\n\n")
    }

    /// When the newest of the documents was last changed, as far as their servers say.
    pub(crate) fn modified(&self) -> Option<Timestamp> {
        let present = self.documents.values().filter_map(|seen| match seen {
            Seen::Present(fingerprint) => fingerprint.modified(),
            Seen::Absent => None,
        });
        present.max()
    }

    /// What is remembered of the list of the newest entries; `None` when there is none.
    pub(crate) fn tip(&self) -> Option<&TipState> {
        self.tip.as_ref()
    }

    /// The same documents with what is remembered of the list now.
    pub(crate) fn with_tip(mut self, tip: Option<TipState>) -> Self {
        self.tip = tip;
        self
    }

    /// Remembers a document.
    pub(crate) fn insert(&mut self, url: &str, seen: Seen) {
        self.documents.insert(url.to_owned(), seen);
    }

    /// What a document was like; `None` when it was never read.
    pub(crate) fn get(&self, url: &str) -> Option<&Seen> {
        self.documents.get(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip() {
        let mut fingerprint = PartFingerprint::default();
        assert_eq!(PartFingerprint::parse(&fingerprint.to_text()), fingerprint);
        let present = Fingerprint {
            sha256: Some([7; 32]),
            etag: Some("\"url x\"".to_owned()),
            last_modified: None,
        };
        fingerprint.insert("https://a.example/one", Seen::Present(present));
        fingerprint.insert("https://a.example/two", Seen::Absent);
        assert_eq!(PartFingerprint::parse(&fingerprint.to_text()), fingerprint);
    }

    #[test]
    fn the_newest_documents_date_is_that_of_the_part() {
        let mut fingerprint = PartFingerprint::default();
        assert_eq!(fingerprint.modified(), None);
        for (url, date) in [
            ("https://a.example/one", "Sun, 16 Aug 2026 12:55:00 GMT"),
            ("https://a.example/two", "Mon, 17 Aug 2026 12:55:00 GMT"),
            ("https://a.example/three", "yesterday"),
        ] {
            let last_modified = Some(date.to_owned());
            let present = Fingerprint { last_modified, ..Fingerprint::default() };
            fingerprint.insert(url, Seen::Present(present));
        }
        let newest = fingerprint.modified().map(|at| at.to_string());
        assert_eq!(newest.as_deref(), Some("2026-08-17T12:55:00Z"));
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        for text in ["", "url", "url x", "url x\nmd5 1", "x\nabsent", "\n\n\n"] {
            assert_eq!(PartFingerprint::parse(text), PartFingerprint::default(), "{text:?}");
        }
    }
}
