//! What the tests need from the machine, and how it comes there.
//!
//! Debian packages by name, tools of cargo into a cache folder outside the checkout. Without root
//! nothing is installed: the one command to run is printed instead.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::step::{self, Tally};

/// Debian packages whose programs the tests call, with one program of each to look for.
const PACKAGES: &[(&str, &str)] = &[
    ("rpm", "rpm"),
    ("sqlite3", "sqlite3"),
    ("time", "time"),
    ("zstd", "zstd"),
    ("binutils", "readelf"),
    ("postgresql", "initdb"),
    ("prometheus", "promtool"),
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("busybox-static", "busybox"),
    // libFuzzer is C++.
    ("g++", "c++"),
];

/// Components whose absence is a failure once [`install`] has run, as `PRATIQUE_REQUIRE` names
/// them.
pub(crate) const REQUIRED: &str = "postgres,promtool,witness,containerd";

/// The containerd that is built beside Debian's.
const CONTAINERD_VERSION: &str = "v2.2.1";

/// Where Debian keeps the programs of PostgreSQL, in a folder for each version.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// The version of cargo-deny that reads our `deny.toml`.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Installs what is missing. A package that cannot be installed is a failed step.
pub(crate) fn install() -> Tally {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, program)| !is_in_path(program) && !is_of_postgresql(program))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Tally::default();
    }
    let is_root = env::var("USER").is_ok_and(|user| user == "root") || effective_user_is_root();
    if !is_root || !is_in_path("apt-get") {
        println!("missing for the tests: run `apt-get install -y {}` as root", missing.join(" "));
        return Tally { passed: 0, failed: 1 };
    }
    let mut tally = step::check("apt-get update", Command::new("apt-get").args(["update", "-qq"]));
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    tally.add(step::check(&format!("apt-get install {}", missing.join(" ")), &mut install));
    tally
}

/// A `cargo deny` command, installed into the component cache first if need be.
pub(crate) fn cargo_deny() -> (Tally, Command) {
    let root = component_cache().join(format!("cargo-deny-{CARGO_DENY_VERSION}"));
    let program = root.join("bin/cargo-deny");
    let mut tally = Tally::default();
    if !program.exists() {
        let mut install = Command::new("cargo");
        install.args(["install", "--quiet", "--locked", "cargo-deny", "--version"]);
        install.arg(CARGO_DENY_VERSION).arg("--root").arg(&root);
        install.env_remove("CARGO_TARGET_DIR");
        tally.add(step::check("install cargo-deny", &mut install));
    }
    (tally, Command::new(program))
}

/// Installs runsc into the component cache, for the tests over real sandboxes; without Go they are
/// skipped. Its module has no versions: the branch that Go's tools can build is called `go`.
pub(crate) fn runsc() -> Tally {
    let folder = component_cache().join("runsc/bin");
    if folder.join("runsc").exists() || !is_in_path("go") {
        return Tally::default();
    }
    let mut install = Command::new("go");
    install.args(["install", "gvisor.dev/gvisor/runsc@go"]);
    // With cgo its sandboxes die at their start.
    install.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").env("GOBIN", &folder);
    step::check("install runsc", &mut install)
}

/// Builds the witness of expositions, a small Go program around the parsers of Prometheus, into the
/// component cache. Go's own cache makes a second build short; without Go the tests that ask it
/// say so.
pub(crate) fn witness(root: &Path) -> Tally {
    if !is_in_path("go") {
        println!("missing for the tests: Go 1.21 or later (https://go.dev/dl/)");
        return Tally { passed: 0, failed: 1 };
    }
    let program = component_cache().join("witness/bin/witness");
    let mut build = Command::new("go");
    build.current_dir(root.join("crates/testkit/witness"));
    build.args(["build", "-trimpath", "-o"]).arg(program).arg(".");
    build.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly -buildvcs=false");
    step::check("build the witness", &mut build)
}

/// Builds containerd 2.x with its shim and `ctr` into the component cache: Debian has 1.6, and the
/// client must fit both. Without Go its tests are skipped. Once, about ten minutes on two cores.
pub(crate) fn second_containerd() -> Tally {
    let folder = component_cache().join("containerd-2/bin");
    let programs = ["containerd", "containerd-shim-runc-v2", "ctr"];
    let is_built = programs.iter().all(|program| folder.join(program).exists());
    if is_built || !is_in_path("go") {
        return Tally::default();
    }
    let mut install = Command::new("go");
    install.arg("install").args(programs.map(|program| {
        format!("github.com/containerd/containerd/v2/cmd/{program}@{CONTAINERD_VERSION}")
    }));
    install.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").env("GOBIN", &folder);
    step::check("build containerd 2.x", &mut install)
}

/// Where real components are kept between runs: `$XDG_CACHE_HOME/pratique-components`.
pub(crate) fn component_cache() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("pratique-components")
}

/// Whether a program is in one of the folders of `PATH`.
pub(crate) fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_of_postgresql(program: &str) -> bool {
    let versions = fs::read_dir(POSTGRESQL).into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin").join(program).is_file())
}

fn effective_user_is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
