//! `muniment session`

use super::{
    Failure, Outcome,
    context::{Context, request},
    output::table,
};
use clap::Subcommand;
use muniment::admin::{
    Request, Response,
    control::{self, ControlError},
};

#[derive(Subcommand)]
pub(super) enum Session {
    /// List who is logged in to the running server, over SFTP and at the console
    List,
    /// End a session at once; the person may come in again (`muniment user disable` is for good)
    End {
        /// Its id, as the list shows it
        session: String,
    },
}

impl Session {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let config = context.config()?;
        if let Session::End { session } = self {
            let done = request(&config, Request::SessionEnd { session })?;
            context.output.result(&done, || match &done {
                Response::SessionEnded { session } => format!("{session} ended"),
                other => format!("{other:?}"),
            })?;
            return Ok(());
        }
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
            let mut table = table(["name", "by", "address", "since", "id"]);
            for session in &sessions {
                let since = config.zone().date_time(session.since_ms);
                table.add_row([
                    &session.name,
                    &session.edge,
                    &session.address,
                    &since,
                    &session.id,
                ]);
            }
            table.to_string()
        })?;
        Ok(())
    }
}
