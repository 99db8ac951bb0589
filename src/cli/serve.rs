//! `muniment serve`

use super::{Outcome, context::Context, seam};
use serde_json::json;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Environment variable that says what is logged, for instance `debug` or `muniment::ssh=debug`.
const LOG_VARIABLE: &str = "MUNIMENT_LOG";

/// Serves until SIGTERM or SIGINT. The address is the result, on stdout; logs for operators go to stderr.
pub(super) fn run(context: &Context) -> Outcome {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if context.output.json {
        logs.json().init();
    } else {
        logs.with_ansi(io::stderr().is_terminal()).init();
    }
    let output = context.output;
    seam::serve(context.config()?, |address| {
        // Who closed stdout didn't want to know; the server runs all the same.
        let _ = output.result(&json!({ "listening": address }), || {
            format!("listening on {address}")
        });
    })?;
    Ok(())
}
