//! Who may come in, what they see, and how they come to read: the reading room and its doorkeeper.
//!
//! Invariant: it fails closed. A catalogue that can't be read, a role that isn't in the table, a person disabled a moment
//! ago, a log that can't commit: all of them see nothing.

pub mod authorizer;
pub mod check;
pub mod checks;
pub mod content;
pub mod credentials;
pub mod doorkeeper;
pub mod ended;
pub mod find;
mod grants;
pub mod identity_file;
pub mod keyring;
pub mod live;
pub mod logins;
pub mod people;
pub mod policy;
pub mod reading;
pub mod refusal;
pub mod refusals;
mod refusing;
pub mod register;
pub mod requests;
pub mod room;
pub mod shown;
mod stretches;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use doorkeeper::AccessDoorkeeper;
pub use room::ReadingRoom;

/// Who the log names for what is done from the command line on the host.
pub const OPERATOR: &str = "operator";
