//! The operator's desk: the books of the settings, opened for one command, in the name of the machine's user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::failure::Failure;
use crate::clock::Clock;
use crate::commit::Limits;
use crate::config::{DatabaseUrl, Settings};
use crate::decide::command::{Action, IdempotencyClaim, Operation};
use crate::decide::outcome::{OperationAnswer, Refusal};
use crate::decide::{Command, Outcome};
use crate::startup::{Books, Purpose, StartError};
use crate::store::{Reads, StoreError};

/// Reads the books, and hands operations to an engine of its own.
pub struct Desk {
    books: Books,
}

impl Desk {
    /// Opens a database that is already there: a misspelt path must not make an empty one.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, Failure> {
        require_file(&settings.database_url, "DATABASE_URL, or make one with `vna-partner migrate`")?;
        Ok(Self { books: open_books(settings, clock).await? })
    }

    pub fn reads(&self) -> Arc<dyn Reads> {
        self.books.reads()
    }

    pub fn clock(&self) -> &Clock {
        &self.books.clock
    }

    /// Carries out what an operator asks, durably, and in their name.
    pub async fn operate(
        &self,
        action: Action,
        why: &str,
        idempotency: Option<IdempotencyClaim>,
    ) -> Result<OperationAnswer, Failure> {
        let operation = Operation { who: user(), why: why.to_owned(), action };
        let request = self.books.clock.receive(Command::Operate(operation), idempotency);
        let (engine, running) = self.books.start_engine(Limits::default()).await.map_err(start_failure)?;
        let outcome = engine.submit(request).await;
        running.stop().await;
        match outcome {
            Ok(Outcome::Operation(OperationAnswer::Refused(
                Refusal::NotFound(why) | Refusal::Conflict(why) | Refusal::Invalid(why),
            ))) => Err(Failure::Refused(why)),
            Ok(Outcome::Operation(answer)) => Ok(answer),
            Ok(Outcome::KeyReused) => {
                Err(Failure::refused("this idempotency key was used for something else; nothing was written"))
            }
            Ok(_) => Err(Failure::another_answer()),
            Err(error) => Err(Failure::Refused(format!("{error}; nothing is known to have been written"))),
        }
    }

    pub async fn close(self) {
        self.books.close().await;
    }
}

/// Refuses an address that names no file where it should; `check` is what to look at.
pub fn require_file(url: &DatabaseUrl, check: &str) -> Result<(), Failure> {
    match url.sqlite_file().filter(|path| !path.exists()) {
        Some(path) => Err(Failure::Misused(format!("there is no database {}; check {check}", path.display()))),
        None => Ok(()),
    }
}

/// Opens the books of the settings, making them where they are missing.
pub async fn open_books(settings: &Settings, clock: Clock) -> Result<Books, Failure> {
    Books::open(settings, clock, Purpose::Command).await.map_err(start_failure)
}

pub fn start_failure(error: StartError) -> Failure {
    if error.is_misuse() { Failure::misused(error) } else { Failure::refused(error) }
}

pub fn unreadable(error: StoreError) -> Failure {
    Failure::refused(error)
}

/// The failure of a look-up that found nothing.
pub fn not_found(what: &str) -> Failure {
    Failure::Refused(format!("there is no such {what}"))
}

/// Who acts: the user of the operating system that this process runs as, by name where the machine knows one.
fn user() -> String {
    // The kernel's word, which an environment variable is not.
    let Ok(process) = fs::metadata("/proc/self") else { return "command line".to_owned() };
    let uid = process.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&users, &uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

fn name_of<'a>(users: &'a str, uid: &str) -> Option<&'a str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_as_the_machine_names_them() {
        let users = "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/sh\n";
        assert_eq!(name_of(users, "1000"), Some("ana"));
        assert_eq!(name_of(users, "7"), None);
    }
}
