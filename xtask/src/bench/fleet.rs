//! Measures at the sizes that publishers and fleets really have: whole mirrors, a million images,
//! readers beside an update.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::case::{Programs, call, corpus_mirror, text};
use super::measure;

/// The mirrors that are generated, besides the corpus.
const SCALES: [&str; 2] = ["baseline", "full"];

/// Stores of images that are filled: where, how many images, and how many package sets they share.
const FLEETS: [(&str, &str, &str); 3] =
    [("sqlite", "10000", "500"), ("postgres", "10000", "500"), ("sqlite", "1000000", "50000")];

/// What is asked of them, as a process.
const QUESTIONS: [&str; 5] = [
    "deb/source-0>=1:2.3",
    "deb/source-of-a-thousand>=1:2",
    "debian:12/source-9000>=1:9",
    "CVE-2026-0000001",
    "npm/lodash",
];

/// `db update` of whole mirrors, from empty and with nothing new.
pub(super) fn feeds(programs: &Programs, folder: &Path) -> Result<String, String> {
    let mut table = String::from(
        "| feeds | store | round | entries | wall s | CPU s | memory MiB | store MiB | entries/s \
         | wrote |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut mirrors: Vec<(&str, String)> = Vec::new();
    match corpus_mirror() {
        Some(mirror) => mirrors.push(("corpus", mirror)),
        None => println!("PRATIQUE_CORPUS is not set: the corpus is not measured"),
    }
    for scale in SCALES {
        let path = folder.join(scale);
        println!("=== a mirror: {scale}");
        call(Command::new(&programs.mirror).arg(scale).arg(&path))?;
        mirrors.push((scale, format!("file://{}", path.display())));
    }
    for (name, mirror) in &mirrors {
        let mut command = Command::new(&programs.feeds);
        command.arg(&programs.pratique).args([name, &**mirror, "sqlite", "postgres"]);
        table += &rows(&mut command)?;
    }
    Ok(table)
}

/// Readers alone and beside an update.
pub(super) fn readers(programs: &Programs) -> Result<String, String> {
    let mut command = Command::new(&programs.readers);
    command.arg(&programs.pratique).args(["sqlite", "postgres"]);
    let rows = rows(&mut command)?;
    Ok(format!(
        "| store | command | alone ms | of 20 one over | beside ms | of 20 one over | ratio | \
         updates meanwhile |\n|---|---|---|---|---|---|---|---|\n{rows}"
    ))
}

/// One new advisory, and questions, over images that share package sets.
pub(super) fn impact(root: &Path, programs: &Programs, folder: &Path) -> Result<String, String> {
    let mut table = String::from(
        "| store | images | advisory or question | images that hold it | packages that match it | \
         wall ms | packages compared | findings written | told |\n|---|---|---|---|---|---|---|---|\
         ---|\n",
    );
    for (store, images, sets) in FLEETS {
        let server = if store == "postgres" { Some(Server::start(programs)?) } else { None };
        let file = text(&folder.join(format!("impact-{images}.sqlite")));
        let place = server.as_ref().map_or(&file, |server| &server.url);
        let cargo = |package: &str, name: &str| {
            let mut command = Command::new("cargo");
            command.current_dir(root).args(["bench", "--quiet", "--package", package]);
            command.args(["--bench", name]).env("STORE", place);
            command.env("IMAGES", images).env("SETS", sets);
            command
        };
        println!("=== {images} images in {store}");
        call(&mut cargo("pratique-store", "images"))?;
        for line in rows(&mut cargo("pratique-matcher", "impact"))?.lines() {
            writeln!(table, "| {store} | {images} {line}").expect("a string takes all");
        }
        for question in QUESTIONS {
            let ask = ["ask", question, "--db", place];
            // 0: no; 1: yes; 3: it cannot be told, as of an ecosystem without data.
            let cost = measure(&programs.pratique, &ask, &[0, 1, 3])?;
            let wall = cost.wall_seconds * 1_000.0;
            writeln!(table, "| {store} | {images} | `ask {question}` | | | {wall:.1} | | | |")
                .expect("a string takes all");
        }
    }
    Ok(table)
}

/// What a program prints of a table; everything else that it says is passed on.
pub(super) fn rows(command: &mut Command) -> Result<String, String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let mut rows = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("{line}");
        if line.starts_with('|') {
            rows.push_str(line);
            rows.push('\n');
        }
    }
    Ok(rows)
}

/// A private PostgreSQL; it ends with this.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(programs: &Programs) -> Result<Self, String> {
        let mut command = Command::new(&programs.postgres);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
        let output = child.stdout.take().expect("standard output was piped");
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url).map_err(|e| format!("{command:?}: {e}"))?;
        if url.trim().is_empty() {
            return Err(format!("{command:?}: no server"));
        }
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
