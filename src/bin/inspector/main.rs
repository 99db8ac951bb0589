//! `muniment-inspector`: looks at one recording and says what it saw. The only program that touches libav.
//!
//! ```text
//! job ─ input (bytes on request) ─ gate: structure, every packet, key frames ─┐
//!                                └ deep: every frame, every sample, pictures ─┴─ report
//! ```
//!
//! It runs in the sandbox of `muniment::inspect::child`, holds no key and opens no file. It reports facts; it must never
//! judge, and never touch anything but the bytes that it asks its parent for.

mod container;
mod decoder;
mod deep;
mod follow;
mod gate;
mod input;
mod keyframes;
mod log;
mod luma;
mod payload;
mod pictures;
mod playback;
mod raw;
mod sound;
mod stretches;
mod survey;
mod timeline;

use muniment::inspect::{
    child,
    wire::{Answer, Job, Task, Worker},
};
use std::process::ExitCode;

use crate::pictures::Pictures;

fn main() -> ExitCode {
    input::initialise();
    child::run(work)
}

fn work(worker: &mut Worker, job: &Job) -> Answer {
    match &job.task {
        Task::Gate => Answer::Report(Box::new(gate::inspect(worker, job))),
        Task::Deep {
            measures,
            pictures,
            picture_width,
        } => {
            let pictures = Pictures::new(*pictures, *picture_width);
            Answer::Report(Box::new(deep::inspect(worker, job, measures, pictures)))
        }
        Task::Playback { plan } => playback::make(worker, job, *plan),
        _ => Answer::Failed {
            detail: "this inspector doesn't do that".to_owned(),
        },
    }
}
