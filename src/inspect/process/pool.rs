//! Workers for scans at the gate: from templates that are kept running.
//!
//! What nobody waits for is done between two files: to reap the worker before, and to have the next one at hand.
//!
//! Invariant: a worker whose answer was taken has been killed; it is reaped before many others are.

use super::{
    Conversation, Program, WorkerError, WorkerSettings,
    template::{Started, Template},
    worker::Process,
};
use crate::inspect::wire::{Answer, Job, NoSink, Source, Task};
use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Workers that may wait to be reaped while files keep coming.
const MOST_ENDED: usize = 8;

/// Workers of these settings.
pub struct Pool {
    settings: WorkerSettings,
    idle: Mutex<Vec<Template>>,
    ended: Mutex<Vec<Process>>,
}

impl Pool {
    /// A pool without any yet.
    pub fn new(settings: WorkerSettings) -> Self {
        Pool {
            settings,
            idle: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// Runs one job in a fresh worker.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn run(&self, job: &Job, source: &mut dyn Source) -> Result<Answer, WorkerError> {
        if job.task != Task::Scan {
            return super::run(&self.settings, job, source, &mut NoSink);
        }
        let begun = Instant::now();
        let (template, worker) = self.worker()?;
        let conversation = Conversation {
            settings: &self.settings,
            program: Program::Scan,
            job,
            begun,
        };
        match conversation.answer(worker, source) {
            Ok((answer, process)) => {
                lock(&self.idle).push(template);
                process.kill();
                let mut ended = lock(&self.ended);
                ended.push(process);
                let reaped = match ended.len() >= MOST_ENDED {
                    true => std::mem::take(&mut *ended),
                    false => Vec::new(),
                };
                drop(ended);
                drop(reaped);
                Ok(answer)
            }
            // Its template goes with it.
            Err(error) => Err(error),
        }
    }

    /// A worker, from a template that is running or from a new one.
    fn worker(&self) -> io::Result<(Template, Started)> {
        let running = lock(&self.idle).pop();
        if let Some(mut template) = running
            && let Ok(worker) = template.worker()
        {
            return Ok((template, worker));
        }
        let mut template = self.template()?;
        let worker = template.worker()?;
        Ok((template, worker))
    }

    fn template(&self) -> io::Result<Template> {
        let confinement = self.settings.confinement(Program::Scan, &Task::Scan);
        Template::start(self.settings.program(Program::Scan), &confinement)
    }

    /// Does what nobody waits for. Called by a thread that lives as long as the pool is used.
    pub fn rest(&self) {
        drop(std::mem::take(&mut *lock(&self.ended)));
        let mut templates = std::mem::take(&mut *lock(&self.idle));
        for template in &mut templates {
            if template.is_used_up()
                && let Ok(fresh) = self.template()
            {
                *template = fresh;
            }
        }
        // One that can't fork is replaced when a worker is wanted.
        templates.retain_mut(|template| template.make_ready().is_ok());
        lock(&self.idle).append(&mut templates);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
