//! Files that a command is given; `-` is standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::cli::failure::Failure;

/// The largest body or person that is read whole: far above any that the server takes.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// All bytes of a file, or of standard input for `-`.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if is_standard_input(path) {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
    };
    match read {
        Err(error) => Err(unreadable(path, &error)),
        Ok(length) if length as u64 > MOST_BYTES => {
            Err(Failure::misused(format!("{} is larger than {MOST_BYTES} bytes", path.display())))
        }
        Ok(_) => Ok(bytes),
    }
}

pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The line that says why a file cannot be read.
pub fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let name = if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() };
    Failure::misused(format!("{name} cannot be read: {error}"))
}
