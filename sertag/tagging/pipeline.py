"""The whole pipeline for one file: decode, features, speech, windows, model, aggregate. Runs inside one worker.

A file that cannot be tagged becomes a row with an error; `tag_file` never raises for it. The recording is processed in
chunks, so memory does not grow with its length. A channel is normalised by its speech up to the end of the current
chunk, which for recordings up to a quarter of an hour is the speech of the whole channel.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from sertag.audio.decode import AudioSource, open_recording
from sertag.errors import DecodeError, SertagError
from sertag.features.chunks import chunk_frames, cut_chunks
from sertag.features.frames import Chunk
from sertag.features.mfcc import activity_spec, stream_frames
from sertag.model.session import Model
from sertag.records import AudioFile, ChannelResult, FileResult, FloatArray, Options, Problem, Status
from sertag.tagging.channel_state import ChannelState, ConfirmedWindows
from sertag.tagging.roles import not_separate, role_of, wanted_channels
from sertag.tagging.talk import talk_stats
from sertag.text import display_name, display_text

_SAME_DB = 3.0  # joint stereo of lossy codecs stays under 1; two channels with one speaker each differ by 20 or more
_EVERY_FRAMES = 20  # channels are compared at every 20th frame, which is enough


def tag_file(file: AudioFile, *, model: Model, options: Options) -> FileResult:
    """Tag one recording.

    Args:
        file: as discovered.
        model: loaded in this process.
        options: of the run.

    Returns:
        One result per channel; a single result without a channel if the file cannot be decoded or tagging failed.
    """
    if file.problem is not None:
        return _without_audio(file, Status.UNREADABLE, file.problem)
    return tag_source(file, partial(open_recording, file, raw=options.raw), model=model, options=options)


def tag_source(
    file: AudioFile,
    open_source: Callable[[], AudioSource],
    *,
    model: Model,
    options: Options,
    confirm: Callable[[ConfirmedWindows], None] | None = None,
) -> FileResult:
    """Tag the audio that `open_source` opens, which need not be a file; otherwise like `tag_file`.

    `confirm` is called for each scored channel and each chunk but the last, as soon as the chunk is scored.
    """
    try:
        with open_source() as audio:
            return FileResult(file.path, _tag_audio(audio, model=model, options=options, confirm=confirm))
    except DecodeError as error:
        return _without_audio(file, Status.UNREADABLE, Problem(error.code, str(error)))
    except SertagError as error:
        return _without_audio(file, Status.FAILED, Problem(error.code, str(error)))
    except MemoryError:
        reason = f"{display_name(file.path)}: takes more memory than there is"
        problem = Problem("out_of_memory", f"{reason}; is it damaged? fewer --jobs need less")
        return _without_audio(file, Status.FAILED, problem)
    except Exception as error:  # the last resort: the batch goes on, and the row contains the error
        reason = f"{display_name(file.path)}: {type(error).__name__}: {display_text(str(error))}"
        problem = Problem("internal_error", f"{reason}; this is a fault of sertag, please report it")
        crash = "\n".join(display_text(line) for line in traceback.format_exc().splitlines())
        return replace(_without_audio(file, Status.FAILED, problem), crash=crash)


def _tag_audio(
    audio: AudioSource, *, model: Model, options: Options, confirm: Callable[[ConfirmedWindows], None] | None
) -> tuple[ChannelResult, ...]:
    _check_length(audio, audio.announced_s, "announces", options)
    name = display_name(audio.path)
    wanted = wanted_channels(audio.channels, options, name=name)
    mixed = options.channels == "mix"
    states = [ChannelState(index, model=model, hop_s=options.hop_s) for index in range(1 if mixed else audio.channels)]
    frame_spec, apart_db = activity_spec(model.spec.features), 0.0
    for chunk in _chunks(audio, model=model, options=options):
        apart_db = max(apart_db, _apart_db(chunk, bands=frame_spec.n_mels))
        for state in states:
            state.process(chunk, duration_s=audio.duration_s if chunk.last else None, score=state.channel in wanted)
            if confirm is not None and state.channel in wanted and not chunk.last:
                confirm(state.confirmed(chunk, options))
    same = len(states) > 1 and apart_db < _SAME_DB and states[0].activity.any()
    if same and options.only_role is not None:
        raise not_separate(name, "has the same signal in all channels", options)
    activity = np.stack([state.activity for state in states])
    talk = talk_stats(activity, frame_hz=frame_spec.frame_rate_hz, duration_s=audio.duration_s)
    clipped_pct = 100 * np.atleast_1d(audio.clipped.mean() if mixed else audio.clipped) / audio.samples_read
    return tuple(
        _named(
            states[channel].result(audio.duration_s, float(clipped_pct[channel]), talk[channel], options),
            channel="mix" if mixed else channel,
            audio=audio,
            options=options,
            note=_same_signal(audio) if same else None,
        )
        for channel in wanted
    )


def _apart_db(chunk: Chunk, *, bands: int) -> float:
    """Largest difference of any channel from the first, dB, mean over the bands of a frame; 0 for one channel."""
    frames = chunk.frames.columns[:, : chunk.core_frames : _EVERY_FRAMES, :bands]
    return float(np.abs(frames - frames[:1]).mean(axis=2).max())


def _same_signal(audio: AudioSource) -> Problem:
    message = f"{display_name(audio.path)}: has the same signal in all {audio.channels} channels"
    message += "; speakers are not separated, so roles and overtalk mean nothing; record one channel for each speaker"
    return Problem("same_signal", message)


def _chunks(audio: AudioSource, *, model: Model, options: Options) -> Iterator[Chunk]:
    """Decode and frame a recording, in chunks with a lookahead of one window."""
    features = model.spec.features
    frame_spec = activity_spec(features)
    blocks = _blocks(audio, rate_hz=features.rate_hz, options=options)
    frames = stream_frames(blocks, spec=frame_spec, keep_samples=features.framing == "clip")
    channels = 1 if options.channels == "mix" else audio.channels
    return cut_chunks(
        frames,
        core_frames=chunk_frames(channels=channels, frame_rate_hz=frame_spec.frame_rate_hz),
        lookahead_frames=round(model.spec.window_s * frame_spec.frame_rate_hz) + 1,
        hop_length=frame_spec.hop_length,
    )


def _blocks(audio: AudioSource, *, rate_hz: int, options: Options) -> Iterator[FloatArray]:
    """Samples of the channels, or of their mean, up to the longest duration that is allowed."""
    for block in audio.blocks(rate_hz=rate_hz):
        _check_length(audio, audio.duration_s, "goes on after", options)
        yield block.mean(axis=0, keepdims=True) if options.channels == "mix" else block


def _check_length(audio: AudioSource, duration_s: float, verb: str, options: Options) -> None:
    """Refuse a recording that is too long: most have damaged headers, and tiny files can contain days of silence."""
    if duration_s > options.max_duration_s:
        name = display_name(audio.path)
        message = f"{name}: {verb} {duration_s:.0f} s, expected {options.max_duration_s:g} s at most"
        raise SertagError(f"{message}; is it damaged? --max-duration can be more", code="too_long")


def _named(
    result: ChannelResult,
    *,
    channel: int | Literal["mix"],
    audio: AudioSource,
    options: Options,
    note: Problem | None,
) -> ChannelResult:
    """Add channel, role and sample rate; a problem of the recording replaces a problem of the result."""
    return replace(
        result,
        channel=channel,
        role="" if channel == "mix" else role_of(channel, options.roles),
        sample_rate=audio.rate_hz,
        problem=audio.problem or note or result.problem,
    )


def _without_audio(file: AudioFile, status: Status, problem: Problem) -> FileResult:
    return FileResult(file.path, (ChannelResult(channel=None, status=status, problem=problem),))
