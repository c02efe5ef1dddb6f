"""The Python interface: arrays give the rows of files, and a tagger says what it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sertag import Tagger
from tests.conftest import speech_like


@pytest.fixture(scope="module")
def tagger(tiny_model: Path) -> Tagger:
    return Tagger(str(tiny_model), roles=("agent", "customer"))


def stereo(rate_hz: int = 8000, seconds: float = 12) -> np.ndarray:
    """Two speakers, (2, n), one of them over full scale here and there."""
    samples = np.stack([speech_like(seconds, seed=seed, rate_hz=rate_hz) for seed in (1, 2)])
    samples[1, 1000:1100] *= 20
    return samples.astype(np.float64)


def same(tagger: Tagger, samples: np.ndarray, file: Path, rate_hz: int) -> None:
    found, expected = tagger.tag_samples(samples, rate_hz=rate_hz), tagger.tag(file)
    assert found.channels == expected.channels
    assert expected.channels[0].segments


@pytest.mark.parametrize(
    ("rate_hz", "dtype", "subtype"),
    [
        (8000, "float32", "FLOAT"),
        (8000, "int16", "PCM_16"),
        (11025, "int16", "PCM_16"),
        (44100, "float32", "FLOAT"),
        (44100, "int32", "PCM_32"),
    ],
)
def test_arrays_give_the_rows_of_files(tagger: Tagger, tmp_path: Path, rate_hz: int, dtype: str, subtype: str) -> None:
    samples = stereo(rate_hz)
    if dtype == "float32":
        samples = samples.astype(np.float32)
    else:
        scale = np.iinfo(dtype)
        samples = np.clip(samples * scale.max, scale.min, scale.max).astype(dtype)
    soundfile.write(tmp_path / "a.wav", samples.T, rate_hz, subtype=subtype)
    same(tagger, samples, tmp_path / "a.wav", rate_hz)


def test_one_channel_and_double_precision(tagger: Tagger, tmp_path: Path) -> None:
    samples = stereo()[0]
    soundfile.write(tmp_path / "a.wav", samples.astype(np.float32), 8000, subtype="FLOAT")
    same(tagger, samples, tmp_path / "a.wav", 8000)
    same(tagger, samples[None], tmp_path / "a.wav", 8000)


def test_the_array_stays_as_it_is_and_may_be_a_view(tagger: Tagger) -> None:
    samples = np.ascontiguousarray(stereo().T).astype(np.float32)  # (n, channels) in memory
    before = samples.copy()
    assert (
        tagger.tag_samples(samples.T, rate_hz=8000).channels
        == tagger.tag_samples(np.ascontiguousarray(samples.T), rate_hz=8000).channels
    )
    assert (samples == before).all()


def test_what_is_wrong_with_the_sound_is_a_result(tagger: Tagger) -> None:
    nothing = tagger.tag_samples(np.zeros((2, 0), np.float32), rate_hz=8000, name="call-7")
    assert nothing.path == "call-7"
    assert nothing.channels[0].problem is not None
    assert nothing.channels[0].problem.code == "no_samples"
    broken = stereo().astype(np.float32)
    broken[0, 5] = np.nan
    problem = tagger.tag_samples(broken, rate_hz=8000, name="call-8").channels[0].problem
    assert problem is not None
    assert problem.message.startswith("call-8: it holds 1 values that are no numbers")
    assert tagger.tag_samples(broken, rate_hz=10).channels[0].problem.code == "bad_rate"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (
            np.zeros((16000, 2), np.float32),
            ValueError,
            r"shape \(16000, 2\), expected \(channels, n\); give samples\.T",
        ),
        (np.zeros((1, 2, 3), np.float32), ValueError, r"shape \(1, 2, 3\)"),
        (np.zeros((0, 5), np.float32), ValueError, r"shape \(0, 5\)"),
        (np.zeros((2, 100), np.uint8), TypeError, "samples are uint8, expected float32"),
        (np.zeros((2, 100), np.complex64), TypeError, "samples are complex64"),
    ],
)
def test_mistakes_of_programs_are_exceptions(
    tagger: Tagger, samples: np.ndarray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tagger.tag_samples(samples, rate_hz=8000)


def test_a_tagger_says_what_it_is(tagger: Tagger, tiny_model: Path) -> None:
    name, labels = tagger.spec.name, ", ".join(tagger.spec.labels)
    version = tagger.spec.version
    assert repr(tagger) == f"<Tagger({name!r}, roles=('agent', 'customer')): version {version}, labels {labels}>"
    plain = Tagger(str(tiny_model), channels="mix", hop_s=2)
    assert repr(plain).startswith(f"<Tagger({name!r}, channels='mix', hop_s=2): ")


def test_data_frames(tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd: Any = pytest.importorskip("pandas")
    from sertag import SertagError, segments_to_pandas, to_pandas

    soundfile.write(tmp_path / "a.wav", stereo().T, 8000)
    results = [*tagger.tag_many([tmp_path / "a.wav", tmp_path / "gone.wav"])]
    frame = to_pandas(results, tagger=tagger)
    assert frame["status"].tolist()[2] == "unreadable"
    assert frame["channel"].tolist() == [0, 1, None]
    assert frame["segments"].dtype == "Int64"
    assert frame["segments"].isna().tolist() == [False, False, True]
    assert frame["confidence"].dtype == "float64"
    assert list(frame.columns)[:4] == ["path", "channel", "role", "status"]
    assert frame["model"].unique().tolist() == [tagger.spec.name]
    windows = segments_to_pandas(results, tagger=tagger)
    assert len(windows) == frame["segments"].sum()
    assert windows["start_s"].iloc[0] == results[0].channels[0].segments[0].start_s
    empty = to_pandas([], tagger=tagger)
    assert (len(empty), list(empty.columns)) == (0, list(frame.columns))
    assert pd.concat([empty, frame]).shape == frame.shape
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SertagError, match=r"pip install 'sertag\[pandas\]'"):
        to_pandas([], tagger=tagger)
