//! What libav says while it works: bounded, classified, with the time in the recording that its thread is at.
//!
//! Much damage shows nowhere else. Texts come from libav and may quote the file; they are cut and made printable.
#![allow(unsafe_code)]

use ffmpeg_next::ffi;
use std::{
    cell::Cell,
    ffi::{CStr, c_char, c_int, c_void},
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

/// Lines kept; more only count.
const MAX_LINES: usize = 256;
/// Bytes of a line.
const MAX_LINE_BYTES: usize = 240;
/// No time known.
pub(crate) const NO_TIME: i64 = i64::MIN;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Who says it, as libav names it: `h264`, `mov,mp4,m4a,3gp,3g2,mj2`.
    pub(crate) who: String,
    /// What.
    pub(crate) text: String,
    /// Where in the recording its thread was, milliseconds.
    pub(crate) at_ms: Option<i64>,
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
/// For threads that libav starts itself.
static ANYWHERE_MS: AtomicI64 = AtomicI64::new(NO_TIME);

thread_local! {
    static HERE_MS: Cell<i64> = const { Cell::new(NO_TIME) };
}

/// From now on this thread works on what lies at this time; `NO_TIME` for none.
pub(crate) fn set_time(at_ms: i64) {
    HERE_MS.set(at_ms);
}

/// From now on threads of libav's own work on about this time.
pub(crate) fn set_time_of_others(at_ms: i64) {
    ANYWHERE_MS.store(at_ms, Ordering::Relaxed);
}

/// Takes the lines so far.
pub(crate) fn take() -> Vec<Line> {
    LINES
        .lock()
        .map(|mut lines| std::mem::take(&mut *lines))
        .unwrap_or_default()
}

/// Takes the place of libav's own log, which writes to standard error.
pub(crate) fn install() {
    // SAFETY: `line` has the type that libav calls, never unwinds, and uses nothing but its arguments and statics.
    unsafe { ffi::av_log_set_callback(Some(line)) };
}

#[cfg(target_arch = "x86_64")]
type Arguments = *mut ffi::__va_list_tag;
#[cfg(not(target_arch = "x86_64"))]
type Arguments = ffi::va_list;

unsafe extern "C" fn line(context: *mut c_void, level: c_int, format: *const c_char, arguments: Arguments) {
    if level > ffi::AV_LOG_ERROR as c_int {
        return;
    }
    let mut buffer: [c_char; MAX_LINE_BYTES] = [0; MAX_LINE_BYTES];
    let mut prefix: c_int = 0;
    // SAFETY: context, format and arguments are those of this call; the buffer's length is its own; libav ends it with 0.
    let (who, text) = unsafe {
        let length = buffer.len() as c_int;
        ffi::av_log_format_line2(
            context,
            level,
            format,
            arguments,
            buffer.as_mut_ptr(),
            length,
            &raw mut prefix,
        );
        (
            speaker(context),
            CStr::from_ptr(buffer.as_ptr())
                .to_string_lossy()
                .trim()
                .to_owned(),
        )
    };
    let here = HERE_MS.get();
    let time = if here == NO_TIME {
        ANYWHERE_MS.load(Ordering::Relaxed)
    } else {
        here
    };
    if let Ok(mut lines) = LINES.lock()
        && lines.len() < MAX_LINES
    {
        lines.push(Line {
            who,
            text,
            at_ms: (time != NO_TIME).then_some(time),
        });
    }
}

/// Name of the demuxer or codec that a context belongs to.
///
/// # Safety
/// `context` is null or what libav gives a log callback: a pointer to a struct whose first field is its class.
unsafe fn speaker(context: *mut c_void) -> String {
    if context.is_null() {
        return String::new();
    }
    // SAFETY: by the contract above; libav ends names with 0.
    unsafe {
        let class = *context.cast::<*const ffi::AVClass>();
        let Some(item_name) = class.as_ref().and_then(|class| class.item_name) else {
            return String::new();
        };
        let name = item_name(context);
        if name.is_null() {
            String::new()
        } else {
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }
}
