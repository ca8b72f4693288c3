//! How a command ends when it does not end well.

use std::io;
use std::process::ExitCode;

/// Why a command failed. Each text is one line for standard error and holds no secret and no personal data.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A check failed, or the operation was refused or could not be carried out.
    #[error("{0}")]
    Refused(String),
    /// The command line, a setting or a file is wrong.
    #[error("{0}")]
    Misused(String),
    /// What is wrong has already been printed.
    #[error("a check failed")]
    Shown,
    /// Whoever read the output has had enough (`… | head`).
    #[error("nobody reads the output any more")]
    HungUp,
}

impl Failure {
    /// 1: a check failed or the operation was refused; 2: wrong use.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) | Self::Shown => ExitCode::from(1),
            Self::Misused(_) => ExitCode::from(2),
            Self::HungUp => ExitCode::SUCCESS,
        }
    }

    /// The line for standard error; `None` where there is nothing to add.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Refused(text) | Self::Misused(text) => {
                Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
            }
            Self::Shown | Self::HungUp => None,
        }
    }

    pub fn refused(reason: impl ToString) -> Self {
        Self::Refused(reason.to_string())
    }

    pub fn misused(reason: impl ToString) -> Self {
        Self::Misused(reason.to_string())
    }

    /// The core answered with another command's outcome: nothing may be said of it.
    pub fn another_answer() -> Self {
        Self::refused("the engine gave another command's answer")
    }

    /// A failure to write the output.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::HungUp,
            _ => Self::Refused(format!("the output cannot be written: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line() {
        let failure = Failure::misused("rules.toml:3:\n  | max = x\n  `max` must be a table\n");
        assert_eq!(failure.line().unwrap(), "rules.toml:3: | max = x `max` must be a table");
    }
}
