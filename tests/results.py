"""Results as the line would give them, for tests of what comes after it."""

from __future__ import annotations

from sertag.records import ChannelResult, FileResult, Problem, Segment, Sentiment, Status, Trend
from sertag.tables.columns import ModelInfo

LABELS = ("angry", "happy", "neutral")
ORIGIN = ModelInfo(labels=LABELS, model="tiny", model_sha256="ab" * 32)


def segment(index: int = 0, status: Status = Status.OK) -> Segment:
    return Segment(
        index=index,
        start_s=2.0 * index,
        end_s=2.0 * index + 4,
        status=status,
        emotion="angry" if status is Status.OK else None,
        confidence=0.61234567,
        sentiment=Sentiment.NEGATIVE if status is Status.OK else None,
        probs=(0.61234567, 0.2, 0.18765433),
        speech_ratio=0.5,
        loudness_dbfs=-20.04,
        arousal=0.71234567,
        valence=-0.4,
    )


def not_speech(index: int = 0) -> Segment:
    """A window of music."""
    start_s = 2.0 * index
    return Segment(index, start_s, start_s + 4, Status.NO_SPEECH, None, None, None, (), 0.5, -20.04)


def ok_channel(channel: int = 0, role: str = "", problem: Problem | None = None) -> ChannelResult:
    return ChannelResult(
        channel=channel,
        status=Status.OK,
        role=role,
        problem=problem,
        duration_s=12.3456,
        sample_rate=8000,
        speech_s=10.0,
        segments=(segment(0), segment(1)),
        emotion="angry",
        confidence=0.61234567,
        margin=0.4,
        sentiment=Sentiment.NEGATIVE,
        probs=(0.61234567, 0.2, 0.18765433),
        fracs=(1.0, 0.0, 0.0),
        quarters=(0.1, 0.2, None, 0.4),
        trend=-0.00001,
        trend_label=Trend.STEADY,
        peak_start_s=2.0,
        peak_score=0.7,
        talk_pct=81.0499,
        overtalk_s=0.0,
        silence_s=2.3456,
        longest_silence_s=1.0,
        loudness_dbfs=float("-inf"),
        clipped_pct=0.04,
        attention=0.81234567,
        arousal=0.7,
        valence=-0.00001,
        arousal_quarters=(0.1, 0.2, None, 0.4),
        valence_quarters=(-0.1, 0.2, None, 0.33335),
        interruptions=2,
    )


def ok(path: str = "a.wav", channels: int = 1) -> FileResult:
    return FileResult(path, tuple(ok_channel(index) for index in range(channels)))


def unreadable(path: str, message: str | None = None) -> FileResult:
    problem = Problem("not_audio", message or f"{path}: is text, expected audio")
    return FileResult(path, (ChannelResult(channel=None, status=Status.UNREADABLE, problem=problem),))


def no_speech(path: str = "quiet.wav") -> FileResult:
    return FileResult(path, (ChannelResult(channel=0, status=Status.NO_SPEECH, duration_s=3.0),))
