"""The transform without the rest of SciPy: the same bits, loaded alone or not, and no import of what it is to spare."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.fft

from sertag.features.spectral import fourier


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 256), (1024, 256), (7, 2048), (3, 1), (5, 255)])
def test_spectra_are_those_of_scipy(dtype: type, shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    found = fourier.rfft(frames.copy())
    assert found.dtype == (np.complex64 if dtype is np.float32 else np.complex128)
    assert np.array_equal(found, scipy.fft.rfft(frames))


def raises(error: type[Exception]) -> object:
    def compiled() -> None:
        raise error

    return compiled


def wrong(*_: object) -> np.ndarray:
    return np.zeros((3, 3), np.complex64)


@pytest.mark.parametrize(
    "compiled",
    [
        raises(ImportError),
        lambda: SimpleNamespace(),
        lambda: SimpleNamespace(r2c=lambda frames: frames),
        lambda: SimpleNamespace(r2c=wrong),
    ],
    ids=["not there", "without the function", "with other arguments", "with other results"],
)
def test_another_version_of_scipy_is_used_as_a_whole(compiled: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fourier, "_compiled", compiled)
    frames = np.random.default_rng(0).standard_normal((9, 256)).astype(np.float32)
    assert np.array_equal(fourier._transform()(frames.copy()), scipy.fft.rfft(frames))


def test_a_worker_loads_nothing_else_of_scipy() -> None:
    """With the version of SciPy that is installed; its import would double the start of a worker."""
    code = "import sys, sertag.tagging.pipeline, sertag.model.session; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in loaded if name.partition(".")[0] == "scipy"]
    assert "numpy.testing" not in loaded


def test_both_can_be_loaded_in_one_process() -> None:
    code = "import sertag.features.spectral.fourier as alone, scipy.fft; "
    code += "print(scipy.fft.rfft([1.0]), alone._compiled().r2c)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
