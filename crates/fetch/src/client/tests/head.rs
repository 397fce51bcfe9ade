//! The beginning of a document: ranges, servers without them, files.

use super::*;

impl Bench {
    async fn head(&self, bytes_max: u64, known: Option<&Fingerprint>) -> Result<Head, FetchError> {
        self.client.fetch_head(&self.server.url("/a.json"), bytes_max, known).await
    }

    /// The beginning, and whether the document goes on.
    async fn beginning(&self, bytes_max: u64) -> (String, bool) {
        match self.head(bytes_max, None).await {
            Ok(Head::Bytes { bytes, is_cut, .. }) => {
                (String::from_utf8(bytes).expect("text"), is_cut)
            }
            other => panic!("bytes expected: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_beginning_comes_alone_and_says_whether_there_is_more() {
    let bench = Bench::new();
    assert_eq!(bench.beginning(4).await, ("what".to_owned(), true));
    assert_eq!(bench.beginning(1 << 20).await, (CONTENT.to_owned(), false));
    let ranges: Vec<_> =
        bench.server.requests().iter().map(|it| it.headers["range"].clone()).collect();
    assert_eq!(ranges, ["bytes=0-3", "bytes=0-1048575"]);
}

#[tokio::test]
async fn a_server_without_ranges_is_listened_to_for_as_long() {
    let bench = Bench::new();
    let whole = || ScriptedAnswer::Body(CONTENT.as_bytes().to_vec(), Vec::new());
    bench.script([whole(), whole(), ScriptedAnswer::Unmeasured, ScriptedAnswer::Stall(4)]);
    assert_eq!(bench.beginning(4).await, ("what".to_owned(), true));
    assert_eq!(bench.beginning(CONTENT.len() as u64).await, (CONTENT.to_owned(), false));
    assert_eq!(bench.beginning(4).await, ("what".to_owned(), true));
    assert_eq!(bench.beginning(4).await, ("what".to_owned(), true));
}

#[tokio::test]
async fn a_document_that_is_known_is_not_sent() {
    let bench = Bench::new();
    let Ok(Head::Bytes { fingerprint, .. }) = bench.head(4, None).await else {
        panic!("bytes expected")
    };
    assert!(matches!(bench.head(4, Some(&fingerprint)).await, Ok(Head::Unchanged)));
    std::fs::remove_file(bench.served.path().join("a.json")).expect("removed");
    assert!(matches!(bench.head(4, Some(&fingerprint)).await, Ok(Head::Absent)));
}

#[tokio::test]
async fn a_beginning_that_breaks_off_is_an_error_and_asked_for_once() {
    let bench = Bench::new();
    bench.script([ScriptedAnswer::Cut(2), status(503)]);
    let error = bench.head(10, None).await.expect_err("cut");
    assert!(error.is_transient(), "{error}");
    assert!(bench.head(10, None).await.is_err());
    assert_eq!(bench.server.requests().len(), 2);
}

#[tokio::test]
async fn a_file_gives_its_beginning_too() {
    let bench = Bench::new();
    let path = bench.served.path().join("a.json");
    let url = format!("file://{}", path.display());
    let head = bench.client.fetch_head(&url, 4, None).await;
    let Ok(Head::Bytes { bytes, is_cut: true, fingerprint }) = head else {
        panic!("bytes expected: {head:?}")
    };
    assert_eq!(bytes, b"what");
    let again = bench.client.fetch_head(&url, 4, Some(&fingerprint)).await;
    assert!(matches!(again, Ok(Head::Unchanged)), "{again:?}");
    std::fs::remove_file(path).expect("removed");
    assert!(matches!(bench.client.fetch_head(&url, 4, None).await, Ok(Head::Absent)));
}
