//! Decoders as they are opened here: on the white list, bounded in pixels and threads.

use ffmpeg_next::{
    Dictionary, Discard, Error,
    codec::{Context, Parameters},
    decoder,
};

use crate::input::{MAX_PIXELS, decoder_allowed};

fn prepare(parameters: Parameters) -> Result<(ffmpeg_next::Codec, decoder::Decoder), Error> {
    let codec = decoder::find(parameters.id()).ok_or(Error::DecoderNotFound)?;
    if !decoder_allowed(codec.name()) {
        return Err(Error::DecoderNotFound);
    }
    Ok((codec, Context::from_parameters(parameters)?.decoder()))
}

/// A decoder of pictures with so many threads; `keys_only` leaves out all but key frames, and the smoothing of their edges,
/// which costs a tenth and finds nothing.
///
/// # Errors
/// When the codec isn't on the list, or libav doesn't take its parameters.
pub(crate) fn video(
    parameters: Parameters,
    time_base: ffmpeg_next::Rational,
    threads: usize,
    keys_only: bool,
) -> Result<decoder::Opened, Error> {
    let (codec, mut decoder) = prepare(parameters)?;
    decoder.set_packet_time_base(time_base);
    if keys_only {
        decoder.skip_frame(Discard::NonKey);
        decoder.skip_loop_filter(Discard::All);
    }
    decoder.open_as_with(codec, options(threads))
}

/// A decoder of sound.
///
/// # Errors
/// As [`video`].
pub(crate) fn audio(
    parameters: Parameters,
    time_base: ffmpeg_next::Rational,
) -> Result<decoder::Opened, Error> {
    let (codec, mut decoder) = prepare(parameters)?;
    decoder.set_packet_time_base(time_base);
    decoder.open_as_with(codec, options(1))
}

fn options<'a>(threads: usize) -> Dictionary<'a> {
    let mut options = Dictionary::new();
    options.set("threads", &threads.to_string());
    options.set("max_pixels", &MAX_PIXELS.to_string());
    options
}
