//! `muniment branch`

use super::{
    Outcome,
    context::{Context, request},
    output::table,
};
use clap::Subcommand;
use muniment::{
    admin::{Request, Response},
    catalog::people,
};

#[derive(Subcommand)]
pub(super) enum Branch {
    /// Add a branch
    Add {
        /// Its code: 2 to 12 letters and digits, for instance 0101
        code: String,
        /// Its name
        #[arg(long)]
        name: String,
    },
    /// List branches
    List,
}

impl Branch {
    pub(super) fn run(self, context: &Context) -> Outcome {
        match self {
            Branch::Add { code, name } => {
                let done = request(&context.config()?, Request::BranchAdd { code, name })?;
                context.output.result(&done, || match &done {
                    Response::BranchAdded { code, leaf } => {
                        format!("branch {code} added (log position {leaf})")
                    }
                    other => format!("{other:?}"),
                })?;
            }
            Branch::List => {
                let branches = context.reading()?.catalogue.read(people::branches)?;
                context.output.result(&branches, || {
                    let mut table = table(["code", "name", "people"]);
                    for branch in &branches {
                        table.add_row([&branch.code, &branch.name, &branch.people.to_string()]);
                    }
                    table.to_string()
                })?;
            }
        }
        Ok(())
    }
}
