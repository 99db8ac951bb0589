//! Fields of libav's structs that the crate has no safe access to.
//!
//! Each function borrows the owner for as long as it reads, and copies what it reads.
#![allow(unsafe_code)]

use ffmpeg_next::{Stream, codec, ffi, frame};

/// What the parameters of a stream say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) sample_rate_hz: u32,
    pub(crate) channels: u32,
    pub(crate) bit_rate: u64,
    pub(crate) extradata: Vec<u8>,
}

/// Bytes of a stream's codec configuration that are looked at.
const MAX_EXTRADATA_BYTES: usize = 64 << 10;

fn natural(value: impl TryInto<u32>) -> u32 {
    value.try_into().unwrap_or(0)
}

/// What the parameters of a stream say.
pub(crate) fn shape(parameters: &codec::Parameters) -> Shape {
    // SAFETY: the pointer is valid while `parameters` is borrowed; extradata is `extradata_size` bytes long or null.
    unsafe {
        let raw = &*parameters.as_ptr();
        let length = usize::try_from(raw.extradata_size)
            .unwrap_or(0)
            .min(MAX_EXTRADATA_BYTES);
        let extradata = if raw.extradata.is_null() {
            Vec::new()
        } else {
            std::slice::from_raw_parts(raw.extradata, length).to_vec()
        };
        let channels = natural(raw.ch_layout.nb_channels);
        Shape {
            width: natural(raw.width),
            height: natural(raw.height),
            sample_rate_hz: natural(raw.sample_rate),
            channels,
            bit_rate: u64::try_from(raw.bit_rate).unwrap_or(0),
            extradata,
        }
    }
}

/// Degrees clockwise that a player turns a stream's pictures by: 0, 90, 180 or 270.
pub(crate) fn rotation(stream: &Stream) -> u32 {
    let matrix = stream
        .side_data()
        .find(|data| data.kind() == codec::packet::side_data::Type::DisplayMatrix);
    let Some(bytes) = matrix
        .as_ref()
        .map(|data| data.data())
        .filter(|bytes| bytes.len() >= 36)
    else {
        return 0;
    };
    let mut words = [0i32; 9];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = i32::from_ne_bytes(bytes.try_into().unwrap_or_default());
    }
    // SAFETY: it reads nine integers and nothing else.
    let counter_clockwise = unsafe { ffi::av_display_rotation_get(words.as_ptr()) };
    if counter_clockwise.is_nan() {
        return 0;
    }
    let quarter_turns = (-counter_clockwise / 90.0).round() as i64;
    (quarter_turns.rem_euclid(4) * 90) as u32
}

/// Samples that a container's own index lists for a stream.
pub(crate) fn index_entries(stream: &Stream) -> u64 {
    // SAFETY: the pointer is valid while `stream` is borrowed; the call reads only.
    u64::try_from(unsafe { ffi::avformat_index_get_entries_count(stream.as_ptr()) }).unwrap_or(0)
}

/// Whether a decoder concealed damage in a frame.
pub(crate) fn concealed(frame: &frame::Frame) -> bool {
    frame.is_corrupt() || frame.has_decode_errors()
}

/// How long a frame is shown, in its stream's time base; 0 when unknown.
pub(crate) fn duration(frame: &frame::Frame) -> i64 {
    frame.packet().duration.max(0)
}

/// Width and height as shown, after the sample aspect ratio.
pub(crate) fn shown_size(frame: &frame::Video) -> (u32, u32) {
    let aspect = frame.aspect_ratio();
    let (num, den) = (i64::from(aspect.numerator()), i64::from(aspect.denominator()));
    if num <= 0 || den <= 0 || num > den * 8 || den > num * 8 {
        return (frame.width(), frame.height());
    }
    (natural(i64::from(frame.width()) * num / den), frame.height())
}

/// Whether a frame's luma goes from 0 to 255 rather than from 16 to 235.
fn full_range(frame: &frame::Video) -> bool {
    use ffmpeg_next::format::Pixel;
    let format = frame.format();
    let by_format = matches!(
        format,
        Pixel::YUVJ420P
            | Pixel::YUVJ422P
            | Pixel::YUVJ444P
            | Pixel::YUVJ440P
            | Pixel::YUVJ411P
            | Pixel::GRAY8
    );
    by_format || frame.color_range() == ffmpeg_next::color::Range::JPEG
}

/// Samples luma in a grid, as 8 bits from 0 (black) to 255 (white). False when the first plane isn't luma of 8 to 16 bits.
pub(crate) fn luma(frame: &frame::Video, grid: (usize, usize), points: &mut Vec<u8>) -> bool {
    let Some(descriptor) = frame.format().descriptor() else {
        return false;
    };
    // SAFETY: descriptors are static tables of libav.
    let (flags, first) = unsafe { ((*descriptor.as_ptr()).flags, (*descriptor.as_ptr()).comp[0]) };
    let others = (ffi::AV_PIX_FMT_FLAG_RGB
        | ffi::AV_PIX_FMT_FLAG_PAL
        | ffi::AV_PIX_FMT_FLAG_HWACCEL
        | ffi::AV_PIX_FMT_FLAG_BITSTREAM
        | ffi::AV_PIX_FMT_FLAG_BE) as u64;
    let (step, offset, depth) = (first.step as usize, first.offset as usize, first.depth as u32);
    let bytes = if depth > 8 { 2 } else { 1 };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let usable = first.plane == 0 && (8..=16).contains(&depth) && flags & others == 0 && step >= bytes;
    if !usable || width == 0 || height == 0 {
        return false;
    }
    // SAFETY: a frame that libav gives out has `height` rows, `linesize` bytes apart (backwards when negative), each of at
    // least `width` steps; x and y stay below width and height, and offset + bytes is within a step.
    unsafe {
        let raw = &*frame.as_ptr();
        let (data, line) = (raw.data[0], raw.linesize[0] as isize);
        if data.is_null() || line.unsigned_abs() < width * step {
            return false;
        }
        points.clear();
        for row in 0..grid.1 {
            let y = (2 * row + 1) * height / (2 * grid.1);
            let start = data.cast_const().offset(y as isize * line).add(offset);
            for column in 0..grid.0 {
                let x = (2 * column + 1) * width / (2 * grid.0);
                let sample = start.add(x * step);
                points.push(if bytes == 1 {
                    *sample
                } else {
                    let value = u32::from(u16::from_le_bytes([*sample, *sample.add(1)]));
                    (value >> first.shift.clamp(0, 15) as u32 >> (depth - 8)).min(255) as u8
                });
            }
        }
    }
    if !full_range(frame) {
        for point in points.iter_mut() {
            *point = (u32::from(point.saturating_sub(16)) * 255 / 219).min(255) as u8;
        }
    }
    true
}

/// The pixels of an RGB24 frame, row by row without gaps.
pub(crate) fn rgb(frame: &frame::Video) -> Option<Vec<u8>> {
    if frame.format() != ffmpeg_next::format::Pixel::RGB24 {
        return None;
    }
    let (width, height) = (frame.width() as usize * 3, frame.height() as usize);
    let mut pixels = Vec::with_capacity(width * height);
    // SAFETY: as in `luma`: rows are `linesize` bytes apart and at least `width` bytes long.
    unsafe {
        let raw = &*frame.as_ptr();
        let (data, line) = (raw.data[0], raw.linesize[0] as isize);
        if data.is_null() || line.unsigned_abs() < width {
            return None;
        }
        for y in 0..height {
            let row = data.cast_const().offset(y as isize * line);
            pixels.extend_from_slice(std::slice::from_raw_parts(row, width));
        }
    }
    Some(pixels)
}

/// Samples as f32, channel by channel within each moment; the sample rate and the number of channels, 0 when unusable.
pub(crate) fn interleaved(frame: &frame::Audio, samples: &mut Vec<f32>) -> (u32, usize) {
    samples.clear();
    // SAFETY: a frame that libav gives out has one plane of all channels, or one a channel in `extended_data`, each of
    // `nb_samples` samples of the frame's format. Samples are read byte by byte, so alignment doesn't matter.
    unsafe {
        let raw = &*frame.as_ptr();
        let (Ok(count), Ok(channels), Ok(rate)) = (
            usize::try_from(raw.nb_samples),
            usize::try_from(raw.ch_layout.nb_channels),
            u32::try_from(raw.sample_rate),
        ) else {
            return (0, 0);
        };
        let format = frame.format();
        let width = format.bytes();
        if channels == 0 || channels > 64 || width == 0 || raw.extended_data.is_null() {
            return (0, 0);
        }
        let (planes, per_plane) = if format.is_planar() {
            (channels, 1)
        } else {
            (1, channels)
        };
        samples.resize(count * channels, 0.0);
        for plane in 0..planes {
            let data = *raw.extended_data.add(plane);
            if data.is_null() {
                return (0, 0);
            }
            let bytes = std::slice::from_raw_parts(data, count * per_plane * width);
            let into = samples.iter_mut().skip(plane).step_by(planes);
            convert(format, bytes, into);
        }
        (rate, channels)
    }
}

fn convert<'a>(format: ffmpeg_next::format::Sample, bytes: &[u8], into: impl Iterator<Item = &'a mut f32>) {
    use ffmpeg_next::format::Sample;
    fn each<'a, const N: usize>(
        bytes: &[u8],
        into: impl Iterator<Item = &'a mut f32>,
        value: impl Fn([u8; N]) -> f32,
    ) {
        for (sample, bytes) in into.zip(bytes.as_chunks::<N>().0) {
            let level = value(*bytes);
            *sample = if level.is_finite() { level } else { 0.0 };
        }
    }
    match format {
        Sample::U8(_) => each(bytes, into, |[byte]| (f32::from(byte) - 128.0) / 128.0),
        Sample::I16(_) => each(bytes, into, |bytes| {
            f32::from(i16::from_ne_bytes(bytes)) / 32_768.0
        }),
        Sample::I32(_) => each(bytes, into, |bytes| {
            i32::from_ne_bytes(bytes) as f32 / 2_147_483_648.0
        }),
        Sample::I64(_) => each(bytes, into, |bytes| {
            i64::from_ne_bytes(bytes) as f32 / 9_223_372_036_854_775_808.0
        }),
        Sample::F32(_) => each(bytes, into, f32::from_ne_bytes),
        Sample::F64(_) => each(bytes, into, |bytes| f64::from_ne_bytes(bytes) as f32),
        Sample::None => {}
    }
}

/// Lets the muxer choose the tag that its container has for a copied stream's codec.
pub(crate) fn forget_tag(stream: &mut ffmpeg_next::format::stream::StreamMut<'_>) {
    // SAFETY: the stream belongs to an output context that is open; its parameters live as long as it does.
    unsafe {
        (*(*stream.as_mut_ptr()).codecpar).codec_tag = 0;
    }
}
