//! The pages, one file each. Every file gives its rows of the table of routes.

pub(super) mod home;
