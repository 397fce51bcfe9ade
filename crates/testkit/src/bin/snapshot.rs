//! Makes the bundled snapshot, in two steps around a `pratique db update`.
//!
//! `snapshot date CORPUS FOLDER` copies the feeds of a corpus and gives each file the date that the
//! corpus's manifest names, so that the parts are dated as their publishers dated them.
//! `snapshot write DATABASE FILE` writes the facts of a database, without texts, in the form that
//! the program carries.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use pratique_store::{Access, Database, SnapshotFilter, write_snapshot};
use serde_json::Value;

/// Sources and parts whose facts are left out: they are large, and who scans such an image is told
/// to fetch them.
const LEFT_OUT: &[&str] = &["ubuntu", "Bitnami"];

/// Parts of the corpus that are excerpts of what the publisher has: what they do not name is not
/// known to be clean, and the program must say so.
const EXCERPTS: &[&str] =
    &["debian", "osv/npm", "osv/Maven", "osv/RubyGems", "osv/NuGet", "osv/Packagist"];

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
    let feeds = corpus.join("feeds");
    let dates = dates(&fs::read(feeds.join("MANIFEST.json"))?)?;
    let mut folders = vec![PathBuf::new()];
    while let Some(place) = folders.pop() {
        fs::create_dir_all(folder.join(&place))?;
        for entry in fs::read_dir(feeds.join(&place))? {
            let entry = entry?;
            let place = place.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(place);
                continue;
            }
            let mut copy = File::create(folder.join(&place))?;
            io::copy(&mut File::open(entry.path())?, &mut copy)?;
            if let Some(at) = dates.get(&*place.to_string_lossy()) {
                copy.set_modified(SystemTime::from(*at))?;
            }
        }
    }
    Ok(())
}

/// The date of each file that the manifest gives one, by its place below `feeds/`.
fn dates(manifest: &[u8]) -> Result<HashMap<String, Timestamp>, Box<dyn Error>> {
    let manifest: Value = serde_json::from_slice(manifest)?;
    let mut dates = HashMap::new();
    for entry in manifest.as_array().ok_or("the manifest is no list")? {
        let (Some(file), Some(date)) = (entry["file"].as_str(), entry["date"].as_str()) else {
            continue;
        };
        let text = if date.len() == 10 { format!("{date}T00:00:00Z") } else { date.to_owned() };
        if let (Some(place), Ok(at)) = (file.strip_prefix("feeds/"), text.parse()) {
            dates.insert(place.to_owned(), at);
        }
    }
    Ok(dates)
}

fn write(database: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let database = Database::open(database, Access::ReadOnly)?;
    let parts: BTreeSet<_> = database
        .parts()?
        .into_iter()
        .map(|state| state.id)
        .filter(|part| !LEFT_OUT.contains(&part.source()) && !LEFT_OUT.contains(&part.part()))
        .collect();
    let excerpts = parts.iter().filter(|part| EXCERPTS.contains(&&*part.to_string())).cloned();
    let excerpts = excerpts.collect();
    let filter = SnapshotFilter { excerpts, parts, ..SnapshotFilter::default() };
    write_snapshot(&database, &filter, BufWriter::new(File::create(file)?))?;
    Ok(())
}
