//! The bytes of an open reading as an answer: whole or one range (RFC 9110, clause 14), in blocks, each read when the peer has
//! taken the one before.
//!
//! It must never know who reads, or whether they may: whoever calls has found the reading for its holder.
//!
//! Invariants: a block goes out only while its reading is open; a stream that can't go on is cut, never ended as if it were
//! whole; a peer that takes nothing holds one block, no thread, and not for longer than `limits::STALL_TIME`.

use super::{
    fault::Fault,
    file_name,
    headers::ContentPolicy,
    limits::{BLOCK_BYTES, MAX_BLOCK_READS, MAX_STREAMS, MAX_STREAMS_PER_READING},
    range::{Asked, asked},
    visit::Visit,
};
use crate::access::{
    live::Reading,
    refusal::{AccessError, Refusal},
};
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::body::{Frame, SizeHint};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// How content is handed over.
#[derive(Clone, Debug)]
pub struct Served {
    /// What it is: of a closed list, never from the file.
    pub media_type: HeaderValue,
    /// In the page, or as a file of this name.
    pub disposition: HeaderValue,
    /// What it may do where it is opened.
    pub(super) policy: ContentPolicy,
}

impl Served {
    /// A file to be saved under the name it had.
    pub fn attachment(name: &str) -> Self {
        Served {
            media_type: HeaderValue::from_static("application/octet-stream"),
            disposition: file_name::attachment(name),
            policy: ContentPolicy::Closed,
        }
    }

    /// Something to be shown in a page. The media type is one of `access::shown`.
    pub fn inline(name: &str, media_type: &'static str) -> Self {
        Served {
            media_type: HeaderValue::from_static(media_type),
            disposition: file_name::inline(name),
            policy: match media_type {
                "application/pdf" => ContentPolicy::Framed,
                _ => ContentPolicy::Closed,
            },
        }
    }
}

/// Answers a request for a reading's bytes. GET honours one range; HEAD says what GET would without one.
///
/// # Errors
/// [`Refusal::GrantEnded`] when the reading is over, [`Refusal::TooMany`] when too many streams run.
pub fn content(
    streams: &Streams,
    visit: &Visit,
    reading: &Arc<Reading>,
    served: Served,
) -> Result<Response, Fault> {
    if reading.has_ended() {
        return Err(Fault::Refused(Refusal::GrantEnded));
    }
    let size = reading.size_bytes();
    // What is read under one reading never changes, so its id tells one representation from another.
    let tag = HeaderValue::try_from(format!("\"{}\"", reading.opened().id)).map_err(Fault::internal)?;
    // A browser's own viewer of pages is an extension, to the session's cookie another site: parts that it asks for by itself may come
    // without a session. It gets the whole, with the page.
    let in_parts = served.policy != ContentPolicy::Framed;
    let wanted = match visit.method {
        Method::GET if in_parts => asked(&visit.headers, &tag, size),
        _ => Asked::Whole,
    };
    let number = |text: String| HeaderValue::try_from(text).map_err(Fault::internal);
    let mut response = match wanted {
        Asked::None => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            let range = number(format!("bytes */{size}"))?;
            response.headers_mut().insert(header::CONTENT_RANGE, range);
            response
        }
        Asked::Whole | Asked::Part { .. } => {
            let (status, start, end) = match wanted {
                Asked::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last + 1),
                _ => (StatusCode::OK, 0, size),
            };
            let body = match visit.method {
                Method::GET => Body::new(streams.start(reading, start, end).map_err(AccessError::from)?),
                _ => Body::empty(),
            };
            let mut response = (status, body).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
            if let Asked::Part { first, last } = wanted {
                headers.insert(
                    header::CONTENT_RANGE,
                    number(format!("bytes {first}-{last}/{size}"))?,
                );
            }
            headers.insert(header::CONTENT_TYPE, served.media_type);
            headers.insert(header::CONTENT_DISPOSITION, served.disposition);
            response
        }
    };
    response.extensions_mut().insert(served.policy);
    let headers = response.headers_mut();
    let unit = HeaderValue::from_static(if in_parts { "bytes" } else { "none" });
    headers.insert(header::ACCEPT_RANGES, unit);
    headers.insert(header::ETAG, tag);
    Ok(response)
}

/// The streams that run, and how many may. Clones are the same.
#[derive(Clone)]
pub struct Streams {
    running: Arc<Mutex<HashMap<String, usize>>>,
    readers: Arc<Semaphore>,
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            running: Arc::default(),
            readers: Arc::new(Semaphore::new(MAX_BLOCK_READS)),
        }
    }
}

impl Streams {
    /// How many run now.
    pub fn count(&self) -> usize {
        self.lock().values().sum()
    }

    fn start(&self, reading: &Arc<Reading>, start: u64, end: u64) -> Result<Stream, Refusal> {
        let id = &reading.opened().id;
        let mut running = self.lock();
        let of_this = running.get(id).copied().unwrap_or(0);
        if of_this >= MAX_STREAMS_PER_READING || running.values().sum::<usize>() >= MAX_STREAMS {
            return Err(Refusal::TooMany);
        }
        running.insert(id.clone(), of_this + 1);
        drop(running);
        let place = Place {
            streams: self.clone(),
            reading: id.clone(),
        };
        Ok(Stream {
            reading: Arc::clone(reading),
            at: start,
            end,
            block: None,
            place,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream's place among those that run; dropping it gives the place back.
struct Place {
    streams: Streams,
    reading: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.streams.lock();
        match running.get_mut(&self.reading) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                running.remove(&self.reading);
            }
        }
    }
}

/// A block on its way from the store.
type Block = Pin<Box<dyn Future<Output = Result<Bytes, AccessError>> + Send>>;

/// The bytes `at..end` of a reading.
struct Stream {
    reading: Arc<Reading>,
    at: u64,
    end: u64,
    block: Option<Block>,
    place: Place,
}

impl Stream {
    /// Reads the next block on a blocking thread, once one of the readers is free.
    fn next_block(&self) -> Block {
        let (reading, readers) = (Arc::clone(&self.reading), Arc::clone(&self.place.streams.readers));
        let (at, left) = (self.at, self.end - self.at);
        let length = usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        Box::pin(async move {
            let lost = |error: &dyn std::fmt::Display| AccessError::Unavailable(error.to_string());
            let reader = readers.acquire_owned().await.map_err(|error| lost(&error))?;
            let read = spawn_blocking(move || {
                let _reader = reader;
                let mut bytes = vec![0; length];
                let read = reading.read_at(at, &mut bytes)?;
                bytes.truncate(read);
                Ok(Bytes::from(bytes))
            });
            read.await.map_err(|error| lost(&error))?
        })
    }
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = AccessError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AccessError>>> {
        if self.at >= self.end {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let mut block = match this.block.take() {
            Some(block) => block,
            None => this.next_block(),
        };
        let read = match block.as_mut().poll(context) {
            Poll::Ready(read) => read,
            Poll::Pending => {
                this.block = Some(block);
                return Poll::Pending;
            }
        };
        Poll::Ready(Some(match read {
            // Shorter than it said it is: not what was opened.
            Ok(bytes) if bytes.is_empty() => {
                let what = "the content ended before its length".to_owned();
                Err(AccessError::Damaged { what })
            }
            // Ended while the block waited to be fetched.
            Ok(_) if this.reading.has_ended() => Err(Refusal::GrantEnded.into()),
            Ok(bytes) => {
                this.at += bytes.len() as u64;
                Ok(Frame::data(bytes))
            }
            Err(error) => Err(error),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.at)
    }
}
