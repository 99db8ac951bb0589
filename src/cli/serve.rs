//! `muniment serve`

use super::{Outcome, context::Context, seam};
use serde_json::json;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Environment variable that says what is logged, for instance `debug` or `muniment::ssh=debug`.
const LOG_VARIABLE: &str = "MUNIMENT_LOG";

/// Serves until SIGTERM or SIGINT. The addresses are the result, on stdout; logs for operators go to stderr.
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
    seam::serve(context.config()?, |addresses| {
        let console = addresses.console.map(|origin| origin.to_string());
        let mut result = json!({ "listening": addresses.ssh });
        if let Some(console) = &console {
            result["console"] = json!(console);
        }
        // Who closed stdout didn't want to know; the server runs all the same.
        let _ = output.result(&result, || {
            let console = console.map(|origin| format!("console on {origin}\n"));
            format!("{}listening on {}", console.unwrap_or_default(), addresses.ssh)
        });
    })?;
    Ok(())
}
