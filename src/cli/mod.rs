//! The command line: arguments in, one custody event or one answer out, an exit code that scripts can trust.
//!
//! Results go to stdout, everything else to stderr; with `--json` stdout is one JSON value, also for a failure.
//! Invariant: exit code 0 says that what was asked was done or found right, and nothing else does.

mod branch;
mod context;
mod doctype;
mod evidence;
mod export;
mod fixity;
mod init;
mod inspect;
mod key;
mod log;
mod output;
mod rebuild;
mod seam;
mod secret;
mod serve;
mod session;
mod token;
mod user;

use clap::{Parser, Subcommand};
use context::Context;
use output::Output;
use std::{path::PathBuf, process::ExitCode};

const EXIT_CODES: &str =
    "Exit codes: 0 done, or found right · 1 refused, or a finding · 2 couldn't be done or told";

#[derive(Parser)]
#[command(
    name = "muniment",
    version,
    about = "An SFTP server that turns uploads into evidence anyone can verify"
)]
#[command(after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    /// Configuration; without it $MUNIMENT_CONFIG, else ./muniment.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer with one JSON value on stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new vault: folders, keys, configuration, catalogue and the log's first events
    Init(init::Init),
    /// Run the server until it is told to stop
    Serve(serve::Serve),
    /// Branches of the house
    #[command(subcommand)]
    Branch(branch::Branch),
    /// Document types: what head office lets in, and what makes it good
    #[command(subcommand)]
    Doctype(doctype::Doctype),
    /// People, their roles and keys
    #[command(subcommand)]
    User(user::User),
    /// The decryption key of the running server: unlock it, lock it, and protect its file with a passphrase
    #[command(subcommand)]
    Key(key::Key),
    /// Who is logged in
    #[command(subcommand)]
    Session(session::Session),
    /// Tokens for programs that use the API
    #[command(subcommand)]
    Token(token::Token),
    /// Find, show and export what is sealed
    #[command(subcommand)]
    Evidence(evidence::Evidence),
    /// What the server would say of a file: nothing is uploaded, nothing is logged
    Inspect(inspect::Inspect),
    /// The custody log
    #[command(subcommand)]
    Log(log::Log),
    /// Stored bytes against what was sealed
    #[command(subcommand)]
    Fixity(fixity::Fixity),
    /// Make a lost or damaged catalogue again from the store and the log
    Rebuild(rebuild::Rebuild),
}

/// Why a command doesn't end with 0.
enum Failure {
    /// The answer is no, or something is wrong: what, and what to do. Exit code 1.
    Finding(String),
    /// Already told in the result. Exit code 1.
    Told,
    /// It couldn't be done or told. Exit code 2.
    Broken(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Broken(error.into())
    }
}

type Outcome = Result<(), Failure>;

/// Runs the command line that the process was started with.
pub(crate) fn run() -> ExitCode {
    let Cli {
        config,
        json,
        command,
    } = Cli::parse();
    let output = Output { json };
    let context = Context { output, config };
    let outcome = match command {
        Command::Init(command) => command.run(&context),
        Command::Serve(command) => command.run(&context),
        Command::Branch(command) => command.run(&context),
        Command::Doctype(command) => command.run(&context),
        Command::User(command) => command.run(&context),
        Command::Key(command) => command.run(&context),
        Command::Session(command) => command.run(&context),
        Command::Token(command) => command.run(&context),
        Command::Evidence(command) => command.run(&context),
        Command::Inspect(command) => command.run(&context),
        Command::Log(command) => command.run(&context),
        Command::Fixity(command) => command.run(&context),
        Command::Rebuild(command) => command.run(&context),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::from(1),
        Err(Failure::Finding(words)) => {
            output.failure(&words);
            ExitCode::from(1)
        }
        Err(Failure::Broken(error)) => {
            output.failure(&words(&error));
            ExitCode::from(2)
        }
    }
}

/// An error and its causes in one line; a cause that the line before told already isn't told again.
fn words(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |told, cause| {
            if told.contains(&cause) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
