//! What both forms of a seed file have in common.

use super::super::failure::Failure;

/// One account as it stands in a file.
#[derive(Debug)]
pub struct Row {
    /// Where: `line 17` or `accounts[15]`.
    pub place: String,
    /// The account as a JSON object.
    pub text: String,
}

/// Takes the rows one by one; an error ends the reading.
pub type Emit<'a> = &'a mut dyn FnMut(Row) -> Result<(), Stop>;

/// Why the reading of a file ended early. Holds no data of the file but identifiers.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// What is wrong with the file, and where.
    #[error("{0}")]
    Wrong(String),
    /// Whoever takes the rows has stopped and says why itself.
    #[error("nobody takes the rows any more")]
    Unwanted,
}

impl Stop {
    /// The failure of the command, with the file's name.
    pub fn of_file(&self, file: &str) -> Failure {
        Failure::Misused(format!("{file}: {self}; nothing of the file was written"))
    }
}
