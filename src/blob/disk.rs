//! Threads that write to the disk while those who made the bytes make the next ones.
//!
//! Invariant: a piece of work runs once, in the order in which it came in, and its owner learns what came of it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel, sync_channel},
    },
};

/// Pieces that are written at one time: what keeps a solid-state disk or an array busy.
const THREADS: usize = 4;
/// Buffers kept for the next pieces.
const KEPT_BUFFERS: usize = 8;

type Work = Box<dyn FnOnce() + Send>;

/// The threads of one vault; they end with the last handle. Work waits in line without a limit of its own: whoever gives
/// some has to wait for it before giving more.
#[derive(Clone)]
pub struct Disk {
    work: Sender<Work>,
    buffers: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// What came of a piece of work, later.
pub struct Later<T>(Receiver<T>);

impl Disk {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn start() -> io::Result<Disk> {
        let (work, queue) = channel::<Work>();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..THREADS {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("disk-{number}"))
                .spawn(move || {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok(work) = next else { return };
                        // Its owner finds that no answer comes.
                        let _ = catch_unwind(AssertUnwindSafe(work));
                    }
                })?;
        }
        Ok(Disk {
            work,
            buffers: Arc::default(),
        })
    }

    /// Has `work` done on one of the threads.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Later<T> {
        let (reply, answer) = sync_channel(1);
        let work = move || {
            // Nobody waits for an upload that was given up.
            let _ = reply.send(work());
        };
        // The threads live as long as this handle; if they didn't, the answer's absence would tell.
        let _ = self.work.send(Box::new(work));
        Later(answer)
    }

    /// A buffer that another piece has done with, whatever is in it; an empty one if there is none.
    pub fn take_buffer(&self) -> Vec<u8> {
        self.buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    /// Hands a buffer on to the next piece.
    pub fn keep_buffer(&self, buffer: Vec<u8>) {
        let mut kept = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_BUFFERS {
            kept.push(buffer);
        }
    }
}

impl<T> Later<T> {
    /// Waits for it; `None` when the work panicked.
    pub fn wait(self) -> Option<T> {
        self.0.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_answered_and_a_panic_costs_no_thread() {
        let disk = Disk::start().unwrap();
        for _ in 0..2 * THREADS {
            let lost: Later<()> = disk.run(|| panic!("as a test does"));
            assert_eq!(lost.wait(), None);
        }
        let answers: Vec<_> = (0..100).map(|n| disk.run(move || n * n)).collect();
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.wait(), Some(n * n));
        }
        for _ in 0..2 * KEPT_BUFFERS {
            disk.keep_buffer(vec![0; 10]);
        }
        let kept = std::iter::from_fn(|| Some(disk.take_buffer()).filter(|buffer| !buffer.is_empty()));
        assert_eq!(kept.count(), KEPT_BUFFERS);
    }
}
