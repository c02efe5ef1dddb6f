"""The Fourier transform of frames: SciPy's, in single or double precision, without the rest of SciPy.

numpy's transform of float32 takes nearly twice as long, because it does not transform several frames at once. But
`scipy.fft` imports half of SciPy and parts of numpy that are for its tests, a fifth of the time in which a worker
starts. So its compiled module is loaded alone. That is no public interface: where it is not found, or does not do what
is expected of it, `scipy.fft` itself is used, with the same numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

import numpy as np

from sertag.records import FloatArray

_NAME = "pypocketfft"
_FOLDER = os.path.join("fft", "_pocketfft")


def rfft(frames: FloatArray) -> Any:
    """The spectra of frames, complex (t, n // 2 + 1), of the precision of the frames, real (t, n).

    >>> rfft(np.ones((1, 4), np.float32)).tolist()
    [[(4+0j), 0j, 0j]]
    """
    return _TRANSFORM(frames)


def _transform() -> Callable[[FloatArray], Any]:
    try:
        r2c = _compiled().r2c

        def alone(frames: FloatArray) -> Any:
            return r2c(frames, (1,), True, 0, None, 1)  # over time, forward, not normalised, on one thread

        probe = np.eye(3, 4, dtype=np.float32)
        if np.array_equal(alone(probe), np.fft.rfft(probe).astype(np.complex64)):
            return alone
    except (ImportError, AttributeError, TypeError, ValueError):  # another version of SciPy
        pass
    import scipy.fft

    return lambda frames: scipy.fft.rfft(frames, overwrite_x=True)


def _compiled() -> ModuleType:
    """The compiled module of `scipy.fft`, without a package around it."""
    package = find_spec("scipy")  # does not import it
    for folder in (package and package.submodule_search_locations) or ():
        for suffix in EXTENSION_SUFFIXES:
            path = os.path.join(folder, _FOLDER, _NAME + suffix)
            if os.path.exists(path):
                spec = spec_from_file_location(_NAME, path, loader=ExtensionFileLoader(_NAME, path))
                if spec is not None and spec.loader is not None:
                    module = module_from_spec(spec)
                    spec.loader.exec_module(module)
                    return module
    raise ImportError(f"SciPy has no {_FOLDER}/{_NAME}")


_TRANSFORM = _transform()
