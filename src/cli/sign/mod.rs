//! `sign`: the X-Signature of a body, and why one does not match.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::{input, terminal};
use crate::config::Settings;
use crate::http::signature;
use diagnosis::{Finding, diagnose};

mod diagnosis;
mod respace;

/// Print the X-Signature of a body, or find out why one does not match.
///
/// The bytes are signed exactly as they stand, with the first of VNA_SIGNING_KEYS.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vna-partner sign body.json
  printf '%s' '{\"AccountIdentifier\":\"4000000000001234\"}' | vna-partner sign
  vna-partner sign body.json --verify 5f0c…e1        # why does this one not match?

`sign --verify` tries every signing key, and what senders commonly get wrong: a line end more or less, JSON that was
serialised again, a key with a line end, in quotes or decoded, another algorithm. Exit 1 where it does not match.")]
pub struct Sign {
    /// The body; `-` or nothing: standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: std::path::PathBuf,
    /// Compare with this signature instead of printing one
    #[arg(long, value_name = "SIGNATURE")]
    verify: Option<String>,
}

pub fn run(args: &Sign, settings: &Settings) -> Result<(), Failure> {
    let Some(first) = settings.signing_keys.first() else {
        return Err(Failure::misused(
            "there is no signing key; set VNA_SIGNING_KEYS or VNA_SIGNING_KEYS_FILE to the key that Leap handed over",
        ));
    };
    let body = input::read(Path::new(&args.file))?;
    let Some(sent) = &args.verify else {
        return terminal::print_line(&signature::sign(first.bytes(), &body));
    };
    match diagnose(sent, &body, &settings.signing_keys) {
        Finding::Valid { key } => {
            terminal::print_line(&format!("The signature is right: it was made with signing key {key}."))
        }
        Finding::Explained(why) => {
            terminal::print_line(&format!("The signature does not match. {why}"))?;
            Err(Failure::Shown)
        }
        Finding::Unexplained => {
            terminal::print_line(
                "The signature does not match, and no common mistake gives it: it was made with another key or over \
                 another body. Compare the bytes on both sides (sha256sum) and the keys (their length and first letter).",
            )?;
            Err(Failure::Shown)
        }
    }
}
