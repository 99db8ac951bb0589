//! `muniment token`

use super::{
    Failure, Outcome,
    context::{Context, request},
    output::table,
};
use clap::Subcommand;
use muniment::{
    admin::{Request, Response},
    catalog::{CatalogueError, credentials, people},
};
use serde::Serialize;

#[derive(Subcommand)]
pub(super) enum Token {
    /// Issue a token for a program that works for a person; it is shown once
    Issue {
        /// Log-in name of the person it belongs to
        name: String,
        /// Role, one of the person's; repeat for several
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// Days that it counts, 366 at the most
        #[arg(long, value_name = "DAYS")]
        days: u32,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        label: String,
    },
    /// List tokens, without their secrets
    List {
        /// Only this person's
        name: Option<String>,
    },
    /// Revoke a token at once
    Revoke {
        /// The token's id, or the whole token
        token: String,
    },
}

impl Token {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match self {
            Token::Issue {
                name,
                roles,
                days,
                label,
            } => issue(
                context,
                Request::TokenIssue {
                    name,
                    roles,
                    days,
                    label,
                },
            ),
            Token::List { name } => list(context, name.as_deref()),
            Token::Revoke { token } => {
                let done = request(&context.config()?, Request::TokenRevoke { token })?;
                context.output.result(&done, || match &done {
                    Response::Logged { leaf } => format!("revoked (log position {leaf})"),
                    other => format!("{other:?}"),
                })?;
                Ok(())
            }
        }
    }
}

fn issue(context: &Context, asked: Request) -> Outcome {
    let config = context.config()?;
    let done = request(&config, asked)?;
    let Response::TokenIssued {
        id,
        name,
        token,
        expires_ms,
        leaf,
    } = &done
    else {
        return Err(Failure::Broken(anyhow::anyhow!(
            "the server answered something else: {done:?}"
        )));
    };
    context.output.result(&done, || token.expose().to_owned())?;
    if !context.output.json {
        context.output.note(&format!(
            "Token {id} of {name}, until {} (log position {leaf}). It is kept nowhere.",
            config.zone().date_time(*expires_ms)
        ));
    }
    Ok(())
}

/// A token, with its person's name.
#[derive(Serialize)]
struct Listed {
    name: String,
    #[serde(flatten)]
    token: credentials::TokenRow,
}

fn list(context: &Context, name: Option<&str>) -> Outcome {
    let reading = context.reading()?;
    let listed = reading.catalogue.read(|connection| {
        let person = name.map(|name| people::by_name(connection, name)).transpose()?;
        let Some(person) = person.map_or(Some(None), |found| found.map(|person| Some(person.id))) else {
            return Ok(None);
        };
        let tokens = credentials::tokens(connection, person.as_deref())?;
        let named = tokens.into_iter().map(|token| {
            let person = people::by_id(connection, &token.person)?;
            let name = person.map_or_else(|| token.person.clone(), |person| person.name);
            Ok(Listed { name, token })
        });
        named.collect::<Result<Vec<Listed>, CatalogueError>>().map(Some)
    })?;
    let Some(listed) = listed else {
        return Err(Failure::Finding(format!(
            "nobody is called '{}'; `muniment user list` shows everybody",
            name.unwrap_or_default()
        )));
    };
    let zone = reading.config.zone();
    context.output.result(&listed, || {
        let mut table = table(["id", "name", "roles", "for", "issued", "until", "revoked"]);
        for Listed { name, token } in &listed {
            table.add_row([
                token.id.clone(),
                name.clone(),
                token.roles.join("\n"),
                token.label.clone(),
                zone.date(token.issued_ms),
                zone.date_time(token.expires_ms),
                token.revoked_ms.map_or("-".to_owned(), |at| zone.date_time(at)),
            ]);
        }
        table.to_string()
    })?;
    Ok(())
}
