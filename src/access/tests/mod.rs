//! The access core met as the console, the API and SFTP meet it.

mod door;
mod grants;
mod keys;
mod readings;
mod rebuilt;
mod requests;
