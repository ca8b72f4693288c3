//! The command line: one file per command. Each reads what it needs from the settings, does its work through the same
//! engine as the server, and says what came of it.
//!
//! Output goes to standard output, one line per error to standard error. The exit code is 0 where all is well, 1 where
//! a check failed or the operation was refused, 2 for wrong use.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Environment, Flags, Settings};
use failure::Failure;
use rules::RulesCommand;

mod account;
mod ambiguous;
mod arguments;
mod audit;
mod authorization;
mod credit;
mod decision;
mod demo;
mod desk;
mod explain;
mod failure;
mod healthcheck;
mod input;
mod migrate;
mod person;
mod reversal;
mod rules;
pub mod seed;
mod serve;
mod shown;
mod sign;
mod store;
mod terminal;

/// The server a partner of Leap Financial runs to own External Account Objects.
#[derive(Debug, Parser)]
#[command(
    name = "vna-partner",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Start with `vna-partner demo`: Leap's whole conversation, on real requests.

Settings come from flags, then the environment, then vna.toml. Secrets come from the environment or files alone:
  VNA_SIGNING_KEYS  (or VNA_SIGNING_KEYS_FILE)   the keys that Leap signs with
  VNA_ADMIN_KEYS    (or VNA_ADMIN_KEYS_FILE)     the keys of the admin API, as name=key
  DATABASE_URL      (or DATABASE_URL_FILE)       as sqlite://vna-partner.db
  VNA_COPY_FROM     (or VNA_COPY_FROM_FILE)      the database that `store copy` copies

Exit codes: 0 all is well; 1 a check failed or the operation was refused; 2 wrong use."
)]
pub struct CommandLine {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Migrate(migrate::Migrate),
    Seed(seed::Seed),
    #[command(subcommand)]
    Account(account::AccountCommand),
    #[command(subcommand)]
    Authorization(authorization::AuthorizationCommand),
    #[command(subcommand)]
    Credit(credit::CreditCommand),
    #[command(subcommand)]
    Ambiguous(ambiguous::AmbiguousCommand),
    #[command(subcommand)]
    Reversal(reversal::ReversalCommand),
    #[command(subcommand)]
    Decision(decision::DecisionCommand),
    Explain(explain::Explain),
    #[command(subcommand)]
    Rules(RulesCommand),
    Sign(sign::Sign),
    Audit(audit::Audit),
    #[command(subcommand)]
    Store(store::StoreCommand),
    Healthcheck(healthcheck::Healthcheck),
}

/// Carries out a command and says what went wrong, if anything did.
pub async fn run(command_line: CommandLine, environment: &Environment) -> ExitCode {
    // In boxes, here and below: the compiler gives up on futures that hold each other too deep.
    match Box::pin(carry_out(command_line, environment)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(line) = failure.line() {
                terminal::complain(&line);
            }
            failure.exit_code()
        }
    }
}

async fn carry_out(command_line: CommandLine, environment: &Environment) -> Result<(), Failure> {
    let CommandLine { flags, command } = command_line;
    let clock = Clock::system();
    let settings = || Settings::load(&flags, environment).map_err(Failure::misused);
    match command {
        // The demo brings its own settings, and a file is checked for what it is: both work under any.
        Command::Demo(args) => demo::run(&args, &flags, clock).await,
        Command::Rules(RulesCommand::Check(args)) => rules::check(&args),
        Command::Rules(RulesCommand::Show(args)) => rules::show(&args, &settings()?),
        Command::Serve(_) => serve::run(settings()?, clock).await,
        Command::Migrate(_) => migrate::run(&settings()?, clock).await,
        Command::Seed(args) => seed::run(&args, &settings()?, clock).await,
        Command::Account(command) => account::run(command, &settings()?, clock).await,
        Command::Authorization(command) => authorization::run(command, &settings()?, clock).await,
        Command::Credit(command) => credit::run(command, &settings()?, clock).await,
        Command::Ambiguous(command) => ambiguous::run(command, &settings()?, clock).await,
        Command::Reversal(command) => reversal::run(command, &settings()?, clock).await,
        Command::Decision(command) => decision::run(command, &settings()?, clock).await,
        Command::Explain(args) => explain::run(&args, &settings()?, clock).await,
        Command::Sign(args) => sign::run(&args, &settings()?),
        Command::Audit(args) => audit::run(&args, &settings()?, clock).await,
        Command::Store(command) => Box::pin(store::run(&command, &settings()?, clock)).await,
        Command::Healthcheck(args) => healthcheck::run(&args, &settings()?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_command_and_argument_has_a_help_text() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        CommandLine::command().debug_assert();
        check(&CommandLine::command());
    }
}
