"""Speech activity: sertag's energy gate against WebRTC VAD, on speech at known places, on real calls, on no speech.

    python -m benchmarks.speed.speech_activity --data ../shared/data

Truth of the streams: clips of acted corpora with digital silence between them; a 10 ms frame is speech where the clean
clip itself is within 25 dB of its 95th percentile. Truth of the real calls: the same on the channel as it is, and 12 dB
over its 10th percentile. In both, as in every detector's answer, gaps under 0.25 s are closed and bursts under 0.1 s
dropped. Both truths are levels, which is nearer to what the gate looks at than to what WebRTC VAD looks at. Noise
is scaled to the speech frames inside the telephone's band, then all is coded by the µ-law; street is low-passed noise
with a wandering level, babble eight voices at once. The speakers of each corpus are split into two halves: the gate's
constants were chosen on the half `tune`, figures are of the half `test`; the few real calls are in both. Missed is
per cent of the speech frames, false per cent of the other frames.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import speech_signals as signals
from benchmarks.speed.speech_streams import FRAME_RATE_HZ, HALVES, HOP_SAMPLES, Stream, call_streams, corpus_streams
from sertag.features.mfcc import FrameStream
from sertag.features.vad import detect, smooth
from sertag.records import BoolArray, FloatArray
from sertag.spec import FeatureSpec

SPEC = FeatureSpec(kind="log_mel", hop_length=HOP_SAMPLES, floor_power=1e-9)
SEED = 20
RESULTS = Path(__file__).parents[1] / "results" / "speech_activity.json"
GATE = "energy gate"

Detector = Callable[[FloatArray], BoolArray]  # samples (n,) -> frames (1 + n // hop,)


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of one detector under one condition, in per cent."""

    detector: str
    condition: str
    missed_pct: float
    false_pct: float
    f1_pct: float


def main() -> None:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SERTAG_DATA", "../shared/data")))
    parser.add_argument("--half", choices=HALVES, default="test", help="of the speakers")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    detectors = {GATE: energy_gate, **webrtc_detectors()}
    streams = [
        *corpus_streams(options.data, half=options.half, seed=SEED),
        *call_streams(options.data / "calls", seed=SEED),
    ]
    sounds = dict(signals.not_speech(30.0, rng=np.random.default_rng(SEED)))
    document = {
        "protocol": " ".join((__doc__ or "").split("\n\n", maxsplit=2)[-1].split()),
        "half": options.half,
        "seed": SEED,
        "stream_hours": round(sum(len(stream.samples) for stream in streams) / signals.RATE_HZ / 3600, 2),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
        "ms_per_5_minutes": costs_ms(detectors),
        "false_alarm_pct": {name: false_alarms(detector, sounds) for name, detector in detectors.items()},
        "scores": [asdict(score) for name, detector in detectors.items() for score in scores(name, detector, streams)],
    }
    show(document, Console())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def energy_gate(samples: FloatArray) -> BoolArray:
    """What sertag does: frames, then the gate on them."""
    return detect(log_mel(samples), spec=SPEC)


def log_mel(samples: FloatArray) -> FloatArray:
    """Frames (t, m) of one channel (n,)."""
    stream = FrameStream(spec=SPEC, channels=1)
    return np.concatenate([stream.push(samples[None]), stream.flush()], axis=1)[0]


def webrtc_detectors() -> dict[str, Detector]:
    """WebRTC VAD in every mode and frame length, by name; nothing where it is not installed."""
    try:
        import webrtcvad
    except ImportError:
        Console(stderr=True).print("WebRTC VAD is left out; to compare with it: pip install webrtcvad-wheels")
        return {}
    settings = [(mode, frame_ms) for mode in range(4) for frame_ms in (10, 20, 30)]
    return {f"WebRTC mode {mode}, {ms} ms": webrtc(webrtcvad, mode=mode, frame_ms=ms) for mode, ms in settings}


def webrtc(module: ModuleType, *, mode: int, frame_ms: int) -> Detector:
    """A detector out of WebRTC VAD, its answer smoothed as the gate's is; a last piece of a frame is no speech."""
    size = frame_ms * signals.RATE_HZ // 1000

    def decide(samples: FloatArray) -> BoolArray:
        vad = module.Vad(mode)
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        starts = range(0, 2 * (len(samples) // size) * size, 2 * size)  # two bytes a sample
        answers = [vad.is_speech(pcm[start : start + 2 * size], signals.RATE_HZ) for start in starts]
        frames = np.repeat(np.array(answers, dtype=bool), size // HOP_SAMPLES)
        whole = np.pad(frames, (0, 1 + len(samples) // HOP_SAMPLES - len(frames)))
        return smooth(whole, frame_rate_hz=FRAME_RATE_HZ)

    return decide


def scores(name: str, detector: Detector, streams: list[Stream]) -> Iterator[Score]:
    """Errors by condition, all streams of a condition counted together."""
    for condition in dict.fromkeys(stream.condition for stream in streams):
        same = [stream for stream in streams if stream.condition == condition]
        found = np.concatenate([detector(stream.samples)[: len(stream.truth)] for stream in same])
        truth = np.concatenate([stream.truth for stream in same])
        hits, missed, false = (int(np.sum(mask)) for mask in (found & truth, ~found & truth, found & ~truth))
        shares = (missed / truth.sum(), false / (~truth).sum(), 2 * hits / (2 * hits + missed + false))
        yield Score(name, condition, *(round(100 * float(share), 1) for share in shares))


def false_alarms(detector: Detector, sounds: dict[str, FloatArray]) -> dict[str, float]:
    """Per cent of the time taken for speech: the worst of three levels, each plain and on a noisy µ-law line."""
    rng = np.random.default_rng(SEED)
    worst = {}
    for name, sound in sounds.items():
        levels = [signals.at_level(sound, level_dbfs) for level_dbfs in (-45, -25, -10)]
        line = signals.at_level(signals.coloured(len(sound), 0.0, rng=rng), -60)
        shares = [detector(samples).mean() for level in levels for samples in (level, signals.mu_law(level + line))]
        worst[name] = round(100 * float(max(shares)), 1)
    return worst


def costs_ms(detectors: dict[str, Detector]) -> dict[str, float]:
    """Milliseconds for 5 minutes of one channel that speaks half of the time, the best of five."""
    noise = signals.coloured(300 * signals.RATE_HZ, 0.0, rng=np.random.default_rng(SEED))
    samples = signals.at_level(signals.cadence(noise, (0.2, 0.1, 0.3, 0.4)), -25)
    frames = log_mel(samples)
    found = {"energy gate on frames that exist": _best_ms(partial(detect, frames, spec=SPEC))}
    for name, detector in detectors.items():
        found["energy gate and its frames" if name == GATE else name] = _best_ms(partial(detector, samples))
    return found


def _best_ms(work: Callable[[], object]) -> float:
    times_s = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - start)
    return round(1000 * min(times_s), 2)


def show(document: dict[str, Any], console: Console) -> None:
    """Print errors and false alarms of the gate and of the two WebRTC settings with the best mean F1, and all costs."""
    alarms = document["false_alarm_pct"]
    cells = {(score["detector"], score["condition"]): score for score in document["scores"]}
    conditions = list(dict.fromkeys(condition for _, condition in cells))
    mean_f1 = {name: np.mean([cells[name, condition]["f1_pct"] for condition in conditions]) for name in alarms}
    shown = [GATE, *sorted(set(alarms) - {GATE}, key=lambda name: -mean_f1[name])[:2]]
    errors = Table("missed / false / F1, %", *shown, title=f"speech, speakers of the half {document['half']}")
    for condition in conditions:
        found = [cells[name, condition] for name in shown]
        errors.add_row(condition, *(f"{one['missed_pct']} / {one['false_pct']} / {one['f1_pct']}" for one in found))
    errors.add_row("mean F1", *(f"{mean_f1[name]:.1f}" for name in shown))
    quiet = Table("taken for speech, % of time", *shown, title="no speech")
    for sound in alarms[GATE]:
        quiet.add_row(sound, *(str(alarms[name][sound]) for name in shown))
    costs = Table("5 minutes of a channel", "ms", title="cost")
    for name, cost_ms in document["ms_per_5_minutes"].items():
        costs.add_row(name, str(cost_ms))
    console.print(errors, quiet, costs)


if __name__ == "__main__":
    main()
