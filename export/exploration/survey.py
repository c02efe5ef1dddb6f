"""What the recordings of corpora are like, as tables: one row a clip, and what is counted over these rows.

Each clip is decoded once, at its own rate, as the tagger decodes it, and mixed down to one channel. Levels are dBFS of
the mean square, DC offsets shares of full scale. Names are text as in sertag's tables (`sertag.text.encode_path`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from export.audio.telephone import level_dbfs
from export.corpora.clips import Clip, Corpus
from export.progress import Report
from sertag.audio.decode import open_audio
from sertag.errors import DecodeError
from sertag.text import encode_path

QUIET_DBFS = -50.0  # an eighth of RAVDESS is under it, no clip of TESS or EmoDB
OFFSET = 0.01  # of full scale: a constant as strong as speech at -40 dBFS
OK, TRUNCATED = "ok", "truncated"  # the status of readable clips; others have the decoder's error code

_KNOWN = ("corpus", "path", "speaker", "label", "sentence", "intensity", "licence", "source", "kind")
_MEASURED = ("status", "message", "duration_s", "rate_hz", "channels", "dc_offset", "level_dbfs")


def survey(corpus: Corpus, *, report: Report) -> pd.DataFrame:
    """Decode every clip of a corpus.

    Args:
        corpus: with at least one clip.
        report: called with the corpus' name and the share that is done.

    Returns:
        A row a clip: what is known of it, `status` and `message` (of what is missing or wrong), and what was measured,
        which is empty for clips that cannot be read.
    """
    rows = []
    for number, clip in enumerate(corpus.clips, start=1):
        rows.append({name: encode_path(str(getattr(clip, name))) for name in _KNOWN} | _measured(clip))
        report(corpus.name, number / len(corpus.clips))
    return pd.DataFrame(rows, columns=[*_KNOWN, *_MEASURED])


def readable(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips that could be decoded, whole or in part."""
    return clips[clips["status"].isin([OK, TRUNCATED])]


def summary(corpus: Corpus, clips: pd.DataFrame) -> dict[str, Any]:
    """What is counted over a corpus: its row in the table of corpora.

    Args:
        corpus: which.
        clips: what `survey` found of it.
    """
    sound = readable(clips)
    seconds = sound["duration_s"].astype(float)
    rates = sound["rate_hz"].astype(int).value_counts().sort_index()
    return {
        "corpus": encode_path(corpus.name),
        "licence": encode_path(corpus.licence),
        "clips": len(clips),
        "speakers": clips["speaker"].nunique(),
        "labels": clips["label"].nunique(),
        "total_s": seconds.sum(),
        "shortest_s": seconds.min(),
        "median_s": seconds.median(),
        "longest_s": seconds.max(),
        "rates_hz": "; ".join(f"{rate}: {count}" for rate, count in rates.items()),
        "quiet": int((sound["level_dbfs"] < QUIET_DBFS).sum()),
        "dc_offset": int((sound["dc_offset"].abs() > OFFSET).sum()),
        "truncated": int((clips["status"] == TRUNCATED).sum()),
        "unreadable": len(clips) - len(sound),
        "left_out": encode_path("; ".join(f"{len(names)} {reason}" for reason, names in corpus.skipped.items())),
    }


def problems(corpus: Corpus, clips: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    """What a person should look at: what is wrong -> names or messages; nothing where nothing is wrong."""
    messages = clips.loc[clips["status"] != OK, ["status", "message"]]
    found = {
        "could not be read": list(messages.loc[messages["status"] != TRUNCATED, "message"]),
        "truncated": list(messages.loc[messages["status"] == TRUNCATED, "message"]),
        **{f"kept, but {encode_path(flaw)}": [*map(encode_path, names)] for flaw, names in corpus.flawed.items()},
        **{f"left out: {encode_path(why)}": [*map(encode_path, names)] for why, names in corpus.skipped.items()},
    }
    return {what: names for what, names in found.items() if names}


def median_clip(clips: pd.DataFrame) -> Any:
    """The row of the clip of median length, the shorter of the two in the middle; ties go by path.

    Args:
        clips: at least one readable clip.
    """
    return clips.sort_values(["duration_s", "path"]).iloc[(len(clips) - 1) // 2]


def _measured(clip: Clip) -> dict[str, Any]:
    try:
        with open_audio(str(clip.path)) as audio:
            samples = np.concatenate([block.mean(axis=0) for block in audio.blocks(rate_hz=audio.rate_hz)])
            return {
                "status": TRUNCATED if audio.problem else OK,
                "message": encode_path(audio.problem.message) if audio.problem else "",
                "duration_s": audio.duration_s,
                "rate_hz": audio.rate_hz,
                "channels": audio.channels,
                "dc_offset": float(samples.mean(dtype=np.float64)),
                "level_dbfs": level_dbfs(samples),
            }
    except DecodeError as error:
        return {"status": error.code, "message": encode_path(str(error))}
