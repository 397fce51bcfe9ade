//! An image in which something can run: the machine's own static busybox.

use std::path::Path;
use std::process::Command;

use pratique_model::Platform;

use crate::image::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};

/// The image's name.
pub const BUSYBOX: &str = "localhost/busybox:latest";

/// The same image by the name that CRI is configured with for pod sandboxes.
pub const PAUSE: &str = "localhost/pause:1";

/// Where Debian's busybox-static puts its program.
const PROGRAMS: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// The image as an OCI archive, under both names. It sleeps when nothing else is said.
///
/// # Panics
/// When there is no busybox.
pub fn busybox_archive() -> Vec<u8> {
    let program = PROGRAMS.iter().find(|path| Path::new(path).exists()).expect("busybox");
    let bytes = std::fs::read(program).expect("it can be read");
    let applets = Command::new(program).arg("--list").output().expect("it can be run").stdout;
    let mut layer = LayerBuilder::new().folder("bin").file_with_mode("bin/busybox", &bytes, 0o755);
    for applet in String::from_utf8_lossy(&applets).lines().filter(|name| *name != "busybox") {
        layer = layer.symlink(&format!("bin/{applet}"), "busybox");
    }
    for folder in ["dev", "etc", "proc", "sys", "tmp"] {
        layer = layer.folder(folder);
    }
    layer = layer
        .file("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        .file("etc/os-release", b"ID=busybox\nNAME=busybox\n");
    let image = ImageBuilder::new(Platform::host())
        .layer(&layer, Compression::Gzip)
        .command(&["/bin/sleep", "1000000"]);
    ArchiveBuilder::new().image(BUSYBOX, image.clone()).image(PAUSE, image).to_oci_archive()
}
