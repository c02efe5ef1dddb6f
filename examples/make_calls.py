"""Make the example calls beside this file, always the same ones: `python examples/make_calls.py [FOLDER]`.

Needs espeak-ng (https://github.com/espeak-ng/espeak-ng) on PATH. The voices are synthetic: what they are good for is
seeing every kind of row, not judging a model. Channel 0 is the agent, channel 1 the customer; 8 kHz, G.711 µ-law.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile
import soxr

Samples = npt.NDArray[np.float32]

RATE_HZ = 8000
AGENT, CUSTOMER = 0, 1
BAND_HZ = (300, 3400)  # of a telephone, ITU-T G.712
NOISE_DBFS = -66  # a good line
GUARD_S = 0.4  # of line before the first and after the last word


@dataclass(frozen=True, slots=True)
class Delivery:
    """How something is said: words a minute, espeak-ng's pitch (0 to 99), pitch range in per cent, level in dBFS."""

    words_per_minute: int
    pitch: int
    range_pct: int
    level_dbfs: float


CALM = Delivery(165, 45, 70, -27)
FLAT = Delivery(140, 30, 10, -30)
SAD = Delivery(115, 22, 40, -33)
HAPPY = Delivery(195, 75, 190, -22)
ANGRY = Delivery(225, 62, 160, -14)
FURIOUS = Delivery(250, 85, 200, -9)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one channel says, `after_s` after the turn before it has ended; under zero they talk at the same time."""

    channel: int
    delivery: Delivery
    text: str
    after_s: float = 0.4


@dataclass(frozen=True, slots=True)
class Call:
    """One recording: the voices of the two channels and what is said."""

    path: str
    voices: tuple[str, str]
    turns: tuple[Turn, ...]


CALLS = (
    Call(
        "2026-03-02_0901_billing_complaint.wav",
        ("en-us+f2", "en-gb+m3"),
        (
            Turn(AGENT, CALM, "Good morning, billing, how can I help you?"),
            Turn(CUSTOMER, ANGRY, "You charged me twice again! I have called three times about this!"),
            Turn(AGENT, CALM, "I am sorry. Let me look at your account.", -0.6),
            Turn(CUSTOMER, FURIOUS, "No! Nobody ever looks! I want my money back now! This is outrageous!", -0.5),
            Turn(AGENT, FLAT, "I see the second charge, and I have just refunded it."),
            Turn(CUSTOMER, CALM, "Oh. All right, thank you, that is what I wanted to hear."),
        ),
    ),
    Call(
        "2026-03-02_0914_order_arrived.wav",
        ("en-gb+m1", "en-us+f4"),
        (
            Turn(AGENT, CALM, "Hello, orders, what can I do for you?"),
            Turn(CUSTOMER, HAPPY, "Hi! It came a whole day early, and it is wonderful, the children love it!", 0.2),
            Turn(AGENT, HAPPY, "That is lovely to hear, thank you for calling!", -0.9),
            Turn(CUSTOMER, HAPPY, "No, thank you! Have a great weekend!", 0.2),
        ),
    ),
    Call(
        "2026-03-02_0932_cancelled_trip.wav",
        ("en-us+m7", "en-gb+f1"),
        (
            Turn(AGENT, FLAT, "Travel desk, your booking number, please."),
            Turn(CUSTOMER, SAD, "I have to cancel. My mother died, and we will not be going any more."),
            Turn(AGENT, SAD, "I am very sorry for your loss.", 1.0),
        ),
    ),
    Call(
        "2026-03-02_0958_lost_connection.wav",
        ("en-us+f2", "en-us+m5"),
        (
            Turn(AGENT, CALM, "Support, good morning."),
            Turn(CUSTOMER, FLAT, "The internet stops every few minutes, and then I have to restart the box."),
            Turn(AGENT, CALM, "Which lights are on at the front, when that happens?"),
        ),
    ),
    Call(
        "voicemail/2026-03-02_1803_nobody_spoke.wav",
        ("en-gb+f3", "en-us"),
        (Turn(AGENT, FLAT, "We are closed. Please leave a message."),),
    ),
)
ONE_CHANNEL = Call(
    "2026-03-02_1020_one_channel.wav",  # an old recorder, which puts both speakers on one channel
    ("en-us+m3", "en-gb+f2"),
    (
        Turn(AGENT, CALM, "Parcel desk, hello?"),
        Turn(CUSTOMER, HAPPY, "It has come at last, thank you so much!"),
    ),
)
SILENT_TAIL_S = {"voicemail/2026-03-02_1803_nobody_spoke.wav": 3.0}
CUT_SHORT = "2026-03-02_0958_lost_connection.wav"  # the recorder lost the line: the header promises more than there is
CUT_SHORT_SHARE = 0.6
ON_HOLD, ON_HOLD_S = "2026-03-02_0940_on_hold.wav", 6.0
HUNG_UP, HUNG_UP_S = "2026-03-02_1005_hung_up.wav", 0.2
NOT_AUDIO, NOT_AUDIO_TEXT = "2026-03-02_1011_upload_failed.wav", "<html><title>504 Gateway Timeout</title></html>\n"


def main() -> int:
    """Write all calls; 1 without espeak-ng."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "calls")
    folder: Path = parser.parse_args().folder
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        print("espeak-ng is not on PATH; install it (Debian: apt install espeak-ng) and try again", file=sys.stderr)
        return 1
    make_calls(folder, espeak=espeak)
    return 0


def make_calls(folder: Path, *, espeak: str) -> None:
    """Write all calls under a folder.

    Args:
        folder: made where it is missing.
        espeak: path of the espeak-ng program.
    """
    for call in CALLS:
        samples = conversation(call, espeak=espeak)
        silence = np.zeros((2, round(SILENT_TAIL_S.get(call.path, 0) * RATE_HZ)), np.float32)
        write(folder / call.path, on_the_line(np.concatenate([samples, silence], axis=1)))
    mixed = conversation(ONE_CHANNEL, espeak=espeak).sum(axis=0, keepdims=True)  # (1, n)
    write(folder / ONE_CHANNEL.path, on_the_line(mixed))
    cut_short(folder / CUT_SHORT)
    write(folder / ON_HOLD, on_the_line(np.stack([music(ON_HOLD_S), np.zeros_like(music(ON_HOLD_S))])))
    write(folder / HUNG_UP, on_the_line(np.zeros((2, round(HUNG_UP_S * RATE_HZ)), np.float32)))
    (folder / NOT_AUDIO).write_text(NOT_AUDIO_TEXT)


def conversation(call: Call, *, espeak: str) -> Samples:
    """All turns of a call on one time line, float32 (2, n), each speaker on a channel of their own."""
    spoken, end = [], round(GUARD_S * RATE_HZ)
    for number, turn in enumerate(call.turns):
        samples = speech(turn, voice=call.voices[turn.channel], espeak=espeak)
        start = end + round(turn.after_s * RATE_HZ) if number else end
        end = start + len(samples)
        spoken.append((turn.channel, start, samples))
    line = np.zeros((2, end + round(GUARD_S * RATE_HZ)), np.float32)
    for channel, start, samples in spoken:
        line[channel, start : start + len(samples)] += samples
    return line


def speech(turn: Turn, *, voice: str, espeak: str) -> Samples:
    """One turn as espeak-ng says it, float32 (n,) at 8 kHz, at the level of its delivery."""
    how = turn.delivery
    text = f'<prosody range="{how.range_pct}%">{escape(turn.text)}</prosody>'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.wav"
        settings = ["-v", voice, "-s", str(how.words_per_minute), "-p", str(how.pitch)]
        subprocess.run([espeak, *settings, "-m", "-w", str(path), text], check=True)  # noqa: S603 - the words above
        samples, rate_hz = soundfile.read(path, dtype="float32")
    samples = soxr.resample(np.trim_zeros(samples), rate_hz, RATE_HZ)
    rms = float(np.sqrt(np.mean(np.square(samples))))
    return (samples * (10 ** (how.level_dbfs / 20) / rms)).astype(np.float32)


def music(duration_s: float) -> Samples:
    """Hold music, float32 (n,): three tones of a chord at a constant level, a new chord every second and a half."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    chords_hz = np.array([[392.0, 494.0, 587.0], [440.0, 523.0, 659.0], [349.0, 440.0, 523.0], [392.0, 494.0, 587.0]])
    hz = chords_hz[(time_s / 1.5).astype(int) % len(chords_hz)]  # (n, 3)
    return (0.05 * np.sin(2 * np.pi * np.cumsum(hz, axis=0) / RATE_HZ).sum(axis=1)).astype(np.float32)


def on_the_line(samples: Samples) -> Samples:
    """The band of a telephone and a little noise that is the same every time, float32 (channels, n)."""
    band = scipy.signal.butter(4, BAND_HZ, btype="bandpass", fs=RATE_HZ, output="sos")
    noise = np.random.default_rng(2026).standard_normal(samples.shape) * 10 ** (NOISE_DBFS / 20)
    heard = scipy.signal.sosfilt(band, samples + noise, axis=1)
    return np.clip(heard, -1, 1).astype(np.float32)


def write(path: Path, samples: Samples) -> None:
    """Write float32 (channels, n) as µ-law WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T, RATE_HZ, format="WAV", subtype="ULAW")


def cut_short(path: Path) -> None:
    """Drop the end of a file and leave its header as it was."""
    content = path.read_bytes()
    data = content.index(b"data")
    (promised,) = struct.unpack_from("<I", content, data + 4)
    path.write_bytes(content[: data + 8 + int(promised * CUT_SHORT_SHARE) // 2 * 2])


if __name__ == "__main__":
    sys.exit(main())
