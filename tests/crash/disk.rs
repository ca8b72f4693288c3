//! A disk whose power can be cut: a file system in a file, that forgets what it was not told to sync. Root's alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Gone with everything on it when it is dropped.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    pub fn new() -> Self {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(disk.root()).unwrap();
        std::fs::File::create(disk.image()).unwrap().set_len(256 * 1024 * 1024).unwrap();
        run("mkfs.ext4", &["-q".as_ref(), &disk.image()]);
        disk.mount();
        disk
    }

    /// Where its files are.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// From now on nothing is written any more: what was not by now is lost.
    pub fn cut(&self) {
        run("xfs_io", &["-x".as_ref(), "-c".as_ref(), "shutdown".as_ref(), &self.root()]);
    }

    /// As after a new start of the machine. Nobody may have a file of it open.
    pub fn mend(&self) {
        run("umount", &[&self.root()]);
        self.mount();
    }

    fn mount(&self) {
        run("mount", &["-o".as_ref(), "loop".as_ref(), &self.image(), &self.root()]);
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A server that a failed test has left behind keeps it busy.
        let _ = Command::new("umount").arg("--lazy").arg(self.root()).status();
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let status = Command::new(program).args(arguments).status().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}
