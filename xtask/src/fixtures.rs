//! `cargo xtask fixtures`: makes generated data of the tree again; with `--scale`, a mirror of
//! generated feeds outside the tree.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What can be made.
const NAMES: &[&str] = &["vectors", "snapshot"];

/// Makes all fixtures, or those whose names are given; `--scale SCALE FOLDER` writes a mirror.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<(), String> {
    if let ["--scale", scale, folder] = names {
        return call(cargo(root, "pratique-testkit", "mirror").args([scale, folder]));
    }
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(name)) {
        return Err(format!("fixtures: unknown: {unknown}; one of {}", NAMES.join(", ")));
    }
    for name in NAMES.iter().filter(|name| names.is_empty() || names.contains(name)) {
        println!("=== fixtures {name}");
        match *name {
            "vectors" => call(Command::new("scripts/vectors/make").current_dir(root))?,
            _ => snapshot(root)?,
        }
    }
    Ok(())
}

/// Writes the snapshot that the program carries, from a folder of feeds in upstream's form.
fn snapshot(root: &Path) -> Result<(), String> {
    let corpus = env::var("PRATIQUE_CORPUS")
        .map_err(|_| "set PRATIQUE_CORPUS to a folder that has feeds/".to_owned())?;
    let corpus = fs::canonicalize(&corpus).map_err(|e| format!("{corpus}: {e}"))?;
    let folder = env::temp_dir().join(format!("pratique-snapshot-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let written = write_snapshot(root, &corpus, &folder);
    fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    written
}

fn write_snapshot(root: &Path, corpus: &Path, folder: &Path) -> Result<(), String> {
    let cargo = |package: &str, program: &str| cargo(root, package, program);
    let (feeds, database) = (folder.join("feeds"), folder.join("db.sqlite"));
    let file = root.join("crates/pratique/data/snapshot.jsonl.zst");
    let mirror = format!("file://{}", feeds.display());
    call(cargo("pratique-testkit", "snapshot").arg("date").args([corpus, &feeds]))?;
    let update = ["db", "update", "--mirror", &mirror, "--db"];
    call(cargo("pratique", "pratique").args(update).arg(&database))?;
    call(cargo("pratique-testkit", "snapshot").arg("write").args([&database, &file]))
}

/// A program of the workspace, built in release; relative paths are the caller's.
fn cargo(root: &Path, package: &str, program: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--quiet", "--manifest-path"]).arg(root.join("Cargo.toml"));
    command.args(["--package", package, "--bin", program, "--"]);
    command
}

fn call(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
