//! What passes between a worker and its parent, counted: what was read, and whether the worker sends what nobody asked for.
//!
//! Invariant: an error that the worker brings about by sending too much is told from one of the source or the sink.

use crate::inspect::wire::{Job, Picture, Sink, Source, Task};
use std::{
    cell::Cell,
    io::{self, Read, Seek, SeekFrom},
};

/// Bytes of output, of a task that has any, beyond a multiple of the file's size.
const OUTPUT_BASE_BYTES: u64 = 256 << 20;
/// That multiple: a proxy of a tiny file may be larger than it.
const OUTPUT_FACTOR: u64 = 4;

/// Counters of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    pub(super) read_bytes: u64,
    pub(super) unwanted: bool,
}

/// Stands between the protocol and the ports.
pub(super) struct Meter<'a> {
    source: &'a mut dyn Source,
    sink: &'a mut dyn Sink,
    pictures_left: u32,
    output_left: u64,
    read_bytes: Cell<u64>,
    unwanted: Cell<bool>,
}

/// The source, counted.
pub(super) struct MeteredSource<'m> {
    source: &'m mut dyn Source,
    read_bytes: &'m Cell<u64>,
}

/// The sink, which takes what the job asks for and no more.
pub(super) struct MeteredSink<'m> {
    sink: &'m mut dyn Sink,
    pictures_left: &'m mut u32,
    output_left: &'m mut u64,
    unwanted: &'m Cell<bool>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(job: &Job, source: &'a mut dyn Source, sink: &'a mut dyn Sink) -> Self {
        let (pictures_left, output_left) = match job.task {
            Task::Deep { pictures, .. } => (pictures, 0),
            Task::Playback { .. } => {
                let most = job.size_bytes.saturating_mul(OUTPUT_FACTOR);
                (0, most.saturating_add(OUTPUT_BASE_BYTES))
            }
            _ => (0, 0),
        };
        Meter {
            source,
            sink,
            pictures_left,
            output_left,
            read_bytes: Cell::new(0),
            unwanted: Cell::new(false),
        }
    }

    pub(super) fn ports(&mut self) -> (MeteredSource<'_>, MeteredSink<'_>) {
        let source = MeteredSource {
            source: &mut *self.source,
            read_bytes: &self.read_bytes,
        };
        let sink = MeteredSink {
            sink: &mut *self.sink,
            pictures_left: &mut self.pictures_left,
            output_left: &mut self.output_left,
            unwanted: &self.unwanted,
        };
        (source, sink)
    }

    pub(super) fn reading(&self) -> Reading {
        Reading {
            read_bytes: self.read_bytes.get(),
            unwanted: self.unwanted.get(),
        }
    }
}

impl Read for MeteredSource<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.source.read(buffer)?;
        self.read_bytes
            .set(self.read_bytes.get().saturating_add(got as u64));
        Ok(got)
    }
}

impl Seek for MeteredSource<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

impl MeteredSink<'_> {
    fn refuse(&self) -> io::Error {
        self.unwanted.set(true);
        io::Error::other("more than the job asks for")
    }
}

impl Sink for MeteredSink<'_> {
    fn picture(&mut self, picture: Picture) -> io::Result<()> {
        *self.pictures_left = self.pictures_left.checked_sub(1).ok_or_else(|| self.refuse())?;
        self.sink.picture(picture)
    }

    fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.output_left.checked_sub(bytes.len() as u64);
        // Even nothing at all is too much where nothing is wanted.
        *self.output_left = left
            .filter(|_| *self.output_left > 0)
            .ok_or_else(|| self.refuse())?;
        self.sink.output(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::wire::Measures;

    #[derive(Default)]
    struct Kept(usize);

    impl Sink for Kept {
        fn picture(&mut self, _: Picture) -> io::Result<()> {
            self.0 += 1;
            Ok(())
        }
        fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0 += bytes.len();
            Ok(())
        }
    }

    fn job(task: Task) -> Job {
        Job {
            task,
            ext: String::new(),
            size_bytes: 4,
        }
    }

    #[test]
    fn what_wasnt_asked_for_is_refused_and_noted() {
        let picture = || Picture {
            width: 1,
            height: 1,
            at_ms: 0,
            rgb: vec![0; 3],
        };
        let deep = Task::Deep {
            measures: Measures::default(),
            pictures: 2,
            picture_width: 1,
        };
        let (mut source, mut kept) = (io::Cursor::new(b"abcd"), Kept::default());
        let mut meter = Meter::new(&job(deep), &mut source, &mut kept);
        let (mut source, mut sink) = meter.ports();
        source.read_exact(&mut [0; 3]).unwrap();
        sink.picture(picture()).unwrap();
        sink.picture(picture()).unwrap();
        sink.picture(picture()).unwrap_err();
        sink.output(b"").unwrap_err();
        let reading = meter.reading();
        assert!(reading.unwanted);
        assert_eq!((reading.read_bytes, kept.0), (3, 2));
    }
}
