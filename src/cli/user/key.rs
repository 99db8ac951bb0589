//! `muniment user key`

use super::{Context, Outcome, key_file, request};
use clap::Subcommand;
use muniment::admin::{Request, Response};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(in crate::cli) enum Key {
    /// Let a person log in over SSH with one more key
    Add {
        /// Log-in name
        name: String,
        /// Public key file
        #[arg(long, value_name = "FILE.pub")]
        key: PathBuf,
    },
    /// Let nobody in with a key any longer, and end the live sessions that it opened; what was done with it stays on record
    Revoke {
        /// Log-in name
        name: String,
        /// Its fingerprint, as `muniment user list` and `ssh-keygen -l` show it
        #[arg(long, value_name = "FINGERPRINT")]
        key: String,
    },
}

impl Key {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let asked = match self {
            Key::Add { name, key } => Request::UserKeyAdd {
                name,
                key: key_file(&key)?,
            },
            Key::Revoke { name, key } => Request::UserKeyRevoke { name, key },
        };
        let done = request(&context.config()?, asked)?;
        context.output.result(&done, || match &done {
            Response::UserKeyAdded { name, key, leaf } => {
                format!("{name} may log in with {key} (log position {leaf})")
            }
            Response::UserKeyRevoked {
                name,
                key,
                sessions_ended,
                leaf,
            } => {
                format!(
                    "{key} of {name} revoked (log position {leaf}); live sessions ended: {sessions_ended}"
                )
            }
            other => format!("{other:?}"),
        })?;
        Ok(())
    }
}
