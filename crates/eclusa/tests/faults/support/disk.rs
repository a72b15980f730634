//! Small file systems of a test's own, mounted over a directory of the stack. Only root may mount; where that fails the
//! test fails.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system that is mounted; it is taken away with this value.
pub struct Disk {
    place: PathBuf,
    _image: Option<tempfile::TempDir>,
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    assert!(
        output.status.success(),
        "{program} {} failed; this test mounts a small file system, which needs root (bin/test --quick leaves it out): {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Disk {
    /// A tmpfs of so many bytes over a directory, with what was in it.
    pub fn tmpfs(place: &Path, bytes: u64) -> Self {
        Self::mount(place, None, &["-t", "tmpfs", "-o", &format!("mode=700,size={bytes}"), "eclusa-test"])
    }

    /// The same with room for so many files.
    pub fn files(place: &Path, most: u64) -> Self {
        let options = format!("mode=700,size=64m,nr_inodes={most}");
        Self::mount(place, None, &["-t", "tmpfs", "-o", &options, "eclusa-test"])
    }

    /// An ext4 of so many bytes over a directory, with what was in it.
    pub fn ext4(place: &Path, bytes: u64) -> Self {
        let holder = tempfile::Builder::new().prefix("ecl-disk").tempdir().unwrap();
        let image = holder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        let image = image.display().to_string();
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &image]);
        Self::mount(place, Some(holder), &["-t", "ext4", "-o", "loop", &image])
    }

    fn mount(place: &Path, image: Option<tempfile::TempDir>, arguments: &[&str]) -> Self {
        let carried = place.with_extension("carried");
        if place.exists() {
            std::fs::rename(place, &carried).unwrap();
        }
        std::fs::create_dir_all(place).unwrap();
        let shown = place.display().to_string();
        run("mount", &[arguments, &[shown.as_str()]].concat());
        let disk = Self { place: place.to_owned(), _image: image };
        let _ = std::fs::remove_dir(place.join("lost+found"));
        if carried.exists() {
            run("cp", &["-a", &format!("{}/.", carried.display()), &shown]);
            std::fs::remove_dir_all(&carried).unwrap();
        }
        disk
    }

    /// The shell line that fills it.
    pub fn filling(place: &Path) -> String {
        let place = place.display();
        // More than once: some file systems find room again once they have written what they had put off.
        format!(
            "for i in 1 2 3 4; do cat /dev/zero >> {place}/filler; sync {place}/filler; done 2>/dev/null; true"
        )
    }

    /// Fills it to the last block.
    pub fn fill(&self) {
        run("sh", &["-c", &Self::filling(&self.place)]);
        let more = std::fs::write(self.place.join("more"), [0; 16 * 1024]);
        assert!(more.is_err(), "{} is not full", self.place.display());
        std::fs::remove_file(self.place.join("more")).unwrap();
    }

    /// Takes away what it was filled with.
    pub fn free_up(&self) {
        let filler = self.place.join("filler");
        if filler.is_dir() {
            std::fs::remove_dir_all(filler).unwrap()
        } else {
            std::fs::remove_file(filler).unwrap()
        }
    }

    /// Uses up the room for files.
    pub fn use_up_files(&self) {
        let directory = self.place.join("filler");
        let _ = std::fs::create_dir(&directory);
        let made =
            (0..1_000_000).find(|number| std::fs::File::create(directory.join(number.to_string())).is_err());
        assert!(made.is_some(), "{} has room for more files", self.place.display());
    }

    /// Makes it read-only, or writable again.
    pub fn read_only(&self, only: bool) {
        let options = if only { "remount,ro" } else { "remount,rw" };
        run("mount", &["-o", options, &self.place.display().to_string()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it is ended by the stack's own end; it is gone from here at once.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
