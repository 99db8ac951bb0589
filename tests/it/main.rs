//! What must hold, shown with the real programs: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod attacks;
mod auth;
mod browser;
mod clients;
mod console;
mod crash;
mod damage;
mod declarations;
mod deep;
mod evidence;
mod faults;
mod fixtures;
mod hostile;
mod inspection;
mod isolation;
mod keyring;
mod media_worker;
mod memory;
mod playback;
mod reach;
mod rebuild;
mod requests;
mod sandbox;
mod scanner;
mod second_opinion;
mod viewing;
