//! A disk that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::component;

/// A file system in memory of a fixed size, unmounted when this is dropped.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one; `None`, said loudly, where this process may not (it takes root).
    ///
    /// # Panics
    /// When `PRATIQUE_REQUIRE` has `mount` and it cannot be done.
    pub fn mount(size_bytes: u64) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("pratique-disk-").tempdir().ok()?.keep();
        let options = format!("size={size_bytes},mode=0777");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "pratique-test"])
            .arg(&folder)
            .output();
        let problem = match output {
            Ok(output) if output.status.success() => return Some(Self { folder }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        // Nothing was mounted, so the folder is empty.
        let _ = std::fs::remove_dir(&folder);
        component::absent("mount", problem.trim());
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process of a failed test may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).output();
        let _ = std::fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_takes_no_more_than_its_size() {
        let Some(disk) = SmallDisk::mount(1 << 20) else { return };
        let folder = disk.path().to_owned();
        std::fs::write(folder.join("half"), vec![0; 512 << 10]).expect("there is room");
        assert!(std::fs::write(folder.join("rest"), vec![0; 1 << 20]).is_err());
        drop(disk);
        assert!(!folder.exists());
    }
}
