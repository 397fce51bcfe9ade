//! The corpus as a mirror: what the sources ask for is found and unpacks whole.
//!
//! Goal: the reader of zips agrees with the zip crate's on every real zip. Runs when
//! `PRATIQUE_CORPUS` names the corpus.

use std::io::Read as _;
use std::path::PathBuf;

use pratique_clockwork::Clock;
use pratique_fetch::{Client, Config, Container, Mirror, Outcome, Spooled, UnpackLimits};

const OSV: &str = "https://osv-vulnerabilities.storage.googleapis.com";

/// The corpus's folder `feeds`; `None`, and a line on stderr, when it is not there.
fn feeds() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("PRATIQUE_CORPUS") else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            eprintln!("SKIPPED: {test}: PRATIQUE_CORPUS is not set");
        }
        return None;
    };
    Some(PathBuf::from(folder).join("feeds"))
}

/// Fetches from the corpus as a `file://` mirror.
async fn fetch(url: &str) -> Option<Spooled> {
    let mirror = format!("file://{}", feeds()?.display());
    let mut config = Config::new(std::env::temp_dir());
    config.loopback_only = true;
    config.mirror = Some(Mirror::parse(&mirror).expect("the corpus is a mirror"));
    let client = Client::try_new(config, Clock::system()).expect("a client");
    match client.fetch(url, None).await {
        Ok(Outcome::Body(spooled)) => Some(spooled),
        other => panic!("{url}: {other:?}"),
    }
}

/// Trap 9: OSV zips are flat, and `AlmaLinux:8` has a colon in its path.
#[tokio::test]
async fn trap_9_osv_zips_are_read_as_the_zip_crate_reads_them() {
    let Some(feeds) = feeds() else { return };
    let folder = feeds.join("osv-vulnerabilities.storage.googleapis.com");
    let mut total = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus has it") {
        let ecosystem = entry.expect("readable").file_name().into_string().expect("UTF-8");
        let url = format!("{OSV}/{ecosystem}/all.zip");
        let mut spooled = fetch(&url).await.expect("the corpus is there");
        let path = feeds.join(url.trim_start_matches("https://"));
        let file = std::fs::File::open(path).expect("opened");
        let mut archive = zip::ZipArchive::new(file).expect("a zip");
        let mut index = 0;
        let visited = spooled.unpack(Container::Zip, &UnpackLimits::FEEDS, &mut |entry| {
            let mut expected = archive.by_index(index).expect("as many files");
            assert_eq!(entry.path(), expected.name().expect("UTF-8"), "{ecosystem}");
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            entry.content().read_to_end(&mut ours)?;
            expected.read_to_end(&mut theirs)?;
            assert!(ours == theirs, "{ecosystem}: {}", entry.path());
            index += 1;
            Ok::<(), std::io::Error>(())
        });
        visited.expect("the zip is whole");
        assert_eq!(index, archive.len(), "{ecosystem}");
        total += index;
    }
    assert!(total > 20_000, "{total} records");
}

#[tokio::test]
async fn archives_and_gzip_files_unpack_whole() {
    for (url, container) in [
        ("https://epss.empiricalsecurity.com/epss_scores-current.csv.gz", Container::Gzip),
        ("https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-2024.json.gz", Container::Gzip),
        (
            "https://git.launchpad.net/ubuntu-cve-tracker/snapshot/\
             ubuntu-cve-tracker-master.tar.gz",
            Container::TarGz,
        ),
    ] {
        let Some(mut spooled) = fetch(url).await else { return };
        let (mut files, mut bytes) = (0_u64, 0_u64);
        let visited = spooled.unpack(container, &UnpackLimits::FEEDS, &mut |entry| {
            files += 1;
            bytes += std::io::copy(entry.content(), &mut std::io::sink())?;
            Ok::<(), std::io::Error>(())
        });
        visited.expect("the document is whole");
        assert!(bytes > spooled.length(), "{url}: {bytes} bytes in {files} files");
        assert_eq!(files > 1, container == Container::TarGz, "{url}: {files} files");
    }
}
