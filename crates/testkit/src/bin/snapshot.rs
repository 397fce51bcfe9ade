//! Makes the bundled snapshot, in two steps around a `pratique db update`.
//!
//! `snapshot date CORPUS FOLDER` copies the feeds of a corpus and gives each file the date that the
//! corpus's manifest names, so that the parts are dated as their publishers dated them.
//! `snapshot write DATABASE FILE` writes the facts of a database, without texts, in the form that
//! the program carries.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::time::SystemTime;

use pratique_store::{Access, Database, SnapshotFilter, write_snapshot};
use serde_json::Value;

/// Sources and parts whose facts are left out: they are large, and who scans such an image is told
/// to fetch them.
const LEFT_OUT: &[&str] = &["ubuntu", "Bitnami"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["date", corpus, folder] => date(Path::new(corpus), Path::new(folder)),
        ["write", database, file] => write(Path::new(database), Path::new(file)),
        _ => Err("usage: snapshot date CORPUS FOLDER | snapshot write DATABASE FILE".into()),
    }
}

fn date(corpus: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let manifest = fs::read(corpus.join("feeds/MANIFEST.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    for entry in manifest.as_array().ok_or("the manifest is no list")? {
        let (Some(file), Some(date)) = (entry["file"].as_str(), entry["date"].as_str()) else {
            continue;
        };
        let Some(place) = file.strip_prefix("feeds/") else { continue };
        let copy = folder.join(place);
        fs::create_dir_all(copy.parent().ok_or("a file lies in a folder")?)?;
        fs::copy(corpus.join(file), &copy)?;
        let text = if date.len() == 10 { format!("{date}T00:00:00Z") } else { date.to_owned() };
        let at: jiff::Timestamp = text.parse()?;
        let copied = File::options().write(true).open(&copy)?;
        copied.set_modified(SystemTime::from(at))?;
    }
    Ok(())
}

fn write(database: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let database = Database::open(database, Access::ReadOnly)?;
    let parts: BTreeSet<_> = database
        .parts()?
        .into_iter()
        .map(|state| state.id)
        .filter(|part| !LEFT_OUT.contains(&part.source()) && !LEFT_OUT.contains(&part.part()))
        .collect();
    let filter = SnapshotFilter { parts, ..SnapshotFilter::default() };
    write_snapshot(&database, &filter, BufWriter::new(File::create(file)?))?;
    Ok(())
}
