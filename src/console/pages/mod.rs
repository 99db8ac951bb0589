//! The pages, one file each. Every file gives its rows of the table of routes.

pub(super) mod account;
pub(super) mod branches;
pub(super) mod capacity;
pub(super) mod doctypes;
pub(super) mod evidence;
mod factors;
pub(super) mod home;
pub(super) mod join;
pub(super) mod log;
pub(super) mod people;
pub(super) mod readings;
pub(super) mod reports;
pub(super) mod requests;
pub(super) mod search;
pub(super) mod sessions;
pub(super) mod sign_in;
mod terms;
pub(super) mod view;
