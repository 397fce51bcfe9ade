//! What the distributions' own tools say about an unpacked root.
//!
//! Each gives the lines of [`crate::corpus::distro_lines`], or `None` when the tool is not there.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::corpus::skip;

/// Whether a tool can be run; if not, that is said, or fails the test if the tool is required.
fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    let required = std::env::var("PRATIQUE_REQUIRE").unwrap_or_default();
    let names = [tool, tool.trim_end_matches("-query")];
    let is_required = required.split(',').any(|name| names.contains(&name.trim()));
    assert!(found || !is_required, "{tool} is required and not there");
    if !found {
        skip(&format!("{tool} is not there"));
    }
    found
}

/// What a command prints; its standard error is for people.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("the tool runs");
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {problems}");
    String::from_utf8(output.stdout).expect("text")
}

fn sorted(lines: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    Some(lines)
}

/// `dpkg-query` over the database of a root. It knows no `status.d`, whose stanzas are put into one
/// file with the state that they lack.
pub(crate) fn dpkg(root: &Path) -> Option<Vec<String>> {
    if !has("dpkg-query") {
        return None;
    }
    let database = root.join("var/lib/dpkg");
    if let Ok(stanzas) = fs::read_dir(database.join("status.d")) {
        let mut status = String::new();
        for path in stanzas.map(|entry| entry.expect("an entry").path()) {
            if path.extension().is_none_or(|extension| extension != "md5sums") {
                let stanza = fs::read_to_string(&path).expect("a stanza");
                status.push_str(stanza.trim_end());
                status.push_str("\nStatus: install ok installed\n\n");
            }
        }
        fs::write(database.join("status"), status).expect("writes");
    }
    for name in ["updates", "info"] {
        fs::create_dir_all(database.join(name)).expect("a folder");
    }
    let format = "${db:Status-Status}\t${Package} ${Version} ${Architecture} ${source:Package} \
                  ${source:Version}\n";
    let output = run(Command::new("dpkg-query")
        .arg(format!("--admindir={}", database.display()))
        .args(["-W", "-f", format]));
    let lines = output.lines().map(|line| line.split_once('\t').expect("two columns"));
    let is_on_disk = |state: &str| !matches!(state, "config-files" | "not-installed");
    sorted(lines.filter(|(state, _)| is_on_disk(state)).map(|(_, line)| line.to_owned()))
}

/// `rpm -qa` over a copy of the database in `folder`.
pub(crate) fn rpm(root: &Path, folder: &str) -> Option<Vec<String>> {
    if !has("rpm") {
        return None;
    }
    let copy = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(root.join(folder)).expect("the database") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        fs::copy(&path, copy.path().join(name)).expect("copies");
    }
    rpm_lines(copy.path())
}

fn rpm_lines(folder: &Path) -> Option<Vec<String>> {
    let format = "%{NAME}\t%{EPOCHNUM}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\n";
    let output = run(Command::new("rpm").arg("--dbpath").arg(folder).args(["-qa", "--qf", format]));
    sorted(output.lines().map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, epoch, version, arch, source] = columns[..] else {
            panic!("five columns: {line}");
        };
        rpm_line(name, epoch, version, arch, source)
    }))
}

/// A line of the same form from rpm's own words; `(none)` is what there is not.
pub(crate) fn rpm_line(name: &str, epoch: &str, version: &str, arch: &str, source: &str) -> String {
    let epoch = if matches!(epoch, "0" | "(none)") { String::new() } else { format!("{epoch}:") };
    let arch = if arch == "(none)" { "-" } else { arch };
    let source = match source.trim_end_matches(".src.rpm").rsplitn(3, '-').collect::<Vec<_>>()[..] {
        [release, version, name] => format!("{name} {epoch}{version}-{release}"),
        _ => "- -".to_owned(),
    };
    format!("{name} {epoch}{version} {arch} {source}")
}

/// rpm's answer for a database in its own format, which Debian's rpm cannot open: the headers are
/// cut out by their marks, wherever they lie, and given to `rpmdb --importdb`, so that rpm itself
/// reads them.
pub(crate) fn rpm_of_ndb(database: &Path) -> Option<Vec<String>> {
    if !has("rpm") || !has("rpmdb") {
        return None;
    }
    let bytes = fs::read(database).expect("the database");
    let mut headers = Vec::new();
    for start in (0..bytes.len()).step_by(16).filter(|start| bytes[*start..].starts_with(b"BlbS")) {
        let length = u32::from_le_bytes(bytes[start + 12..start + 16].try_into().expect("four"));
        headers.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
        headers.extend(&bytes[start + 16..start + 16 + length as usize]);
    }
    let copy = tempfile::tempdir().expect("a folder");
    let mut import = Command::new("rpmdb")
        .arg("--dbpath")
        .arg(copy.path())
        .arg("--importdb")
        .stdin(Stdio::piped())
        .spawn()
        .expect("rpmdb runs");
    import.stdin.take().expect("a pipe").write_all(&headers).expect("writes");
    assert!(import.wait().expect("rpmdb ends").success());
    rpm_lines(copy.path())
}

/// Removes nine packages from an SQLite database and leaves that in its log, as a process does that
/// is killed; `false` where SQLite's shell is not there.
pub(crate) fn leave_log(database: &Path) -> bool {
    if !has("sqlite3") {
        return false;
    }
    run(Command::new("sqlite3").arg(database).args([
        ".dbconfig no_ckpt_on_close on",
        "PRAGMA journal_mode=WAL",
        "PRAGMA wal_autocheckpoint=0",
        "DELETE FROM Packages WHERE hnum < 10",
    ]));
    let log = format!("{}-wal", database.display());
    fs::metadata(log).expect("the log").len() > 32
}

/// Lines of an apk database by a second reader: the same records taken apart as whole paragraphs.
pub(crate) fn apk_records(root: &Path) -> Vec<String> {
    let database = ["lib/apk/db/installed", "usr/lib/apk/db/installed"].map(|path| root.join(path));
    let database = database.into_iter().find(|path| path.is_file()).expect("a database");
    let text = fs::read_to_string(database).expect("text");
    let records = text.split("\n\n").filter(|record| !record.trim().is_empty());
    let line = |record: &str| {
        let field = |letter: &str| record.lines().find_map(|line| line.strip_prefix(letter));
        let (name, version) = (field("P:").expect("a name"), field("V:").expect("a version"));
        let origin = field("o:").unwrap_or(name);
        format!("{name} {version} {} {origin} {version}", field("A:").unwrap_or("-"))
    };
    sorted(records.map(line)).expect("lines")
}

/// `name-version` of every package, as `apk info -v` prints them. It is the apk of `host`, an
/// unpacked Alpine for this machine, run in a chroot; `None` where that is not allowed.
pub(crate) fn apk(host: &Path, root: &Path) -> Option<Vec<String>> {
    let inside = host.join("asked");
    for folder in ["lib/apk/db", "usr/lib/apk/db"] {
        let (from, to) = (root.join(folder), inside.join("lib/apk/db"));
        if from.join("installed").is_file() {
            fs::create_dir_all(&to).expect("a folder");
            fs::copy(from.join("installed"), to.join("installed")).expect("copies");
        }
    }
    let etc = inside.join("etc/apk");
    fs::create_dir_all(&etc).expect("a folder");
    fs::write(etc.join("world"), "").expect("writes");
    let mut command = Command::new("chroot");
    command.arg(host).args(["/sbin/apk", "--root", "/asked", "info", "-v"]);
    let output = command.output().ok().filter(|output| output.status.success());
    fs::remove_dir_all(&inside).expect("removes");
    let Some(output) = output else {
        let required = std::env::var("PRATIQUE_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name.trim() == "apk"), "{command:?} did not run");
        skip("apk cannot be run in a chroot here; only the second reader was asked");
        return None;
    };
    let text = String::from_utf8(output.stdout).expect("text");
    sorted(text.lines().filter(|line| !line.starts_with("WARNING")).map(str::to_owned))
}

/// `scripts/installed-languages.py` over a root: `TYPE NAME VERSION PATH`.
pub(crate) fn installed_languages(root: &Path) -> Option<Vec<String>> {
    if !has("python3") {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/installed-languages.py");
    let output = run(Command::new("python3").arg(script).arg(root));
    sorted(output.lines().map(str::to_owned))
}

/// `go version -m` of a program: `MODULE VERSION` of its dependencies.
pub(crate) fn go_modules(program: &Path) -> Option<Vec<String>> {
    // Go's tool has no `--version`, and says so with an exit code only.
    if !has("go") {
        return None;
    }
    let output = run(Command::new("go").args(["version", "-m"]).arg(program));
    let fields = output.lines().map(|line| line.split('\t').collect::<Vec<&str>>());
    let dependencies = fields.filter(|fields| fields.get(1) == Some(&"dep"));
    sorted(dependencies.map(|fields| format!("{} {}", fields[2], fields[3])))
}
