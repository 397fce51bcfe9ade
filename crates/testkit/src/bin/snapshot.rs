//! Makes the bundled snapshot: `snapshot DATABASE FILE` writes the facts of a database, without
//! texts, in the form that the program carries.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use pratique_store::{Access, Database, SnapshotFilter, write_snapshot};

/// Sources whose facts are left out: Ubuntu's and Bitnami's are large, and who scans such an image
/// is told to fetch them.
const LEFT_OUT: &[&str] = &["ubuntu", "Bitnami"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, file] = arguments.as_slice() else {
        return Err("usage: snapshot DATABASE FILE".into());
    };
    let database = Database::open(Path::new(database), Access::ReadOnly)?;
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
