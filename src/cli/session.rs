//! `muniment session`

use super::{Failure, Outcome, context::Context, output::table};
use clap::Subcommand;
use muniment::admin::{
    Request, Response,
    control::{self, ControlError},
};

#[derive(Subcommand)]
pub(super) enum Session {
    /// List who is logged in to the running server
    List,
}

impl Session {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let Session::List = self;
        let config = context.config()?;
        let answer = match control::ask(&config.vault.path, &Request::Sessions) {
            Err(ControlError::NoServer) => {
                context.output.note("no server is running on this vault");
                Response::Sessions { sessions: Vec::new() }
            }
            other => other?,
        };
        let Response::Sessions { sessions } = answer else {
            return Err(Failure::Broken(anyhow::anyhow!(
                "the server answered something else: {answer:?}"
            )));
        };
        context.output.result(&sessions, || {
            let mut table = table(["name", "address", "since"]);
            for session in &sessions {
                let since = config.zone().date_time(session.since_ms);
                table.add_row([&session.name, &session.address, &since]);
            }
            table.to_string()
        })?;
        Ok(())
    }
}
