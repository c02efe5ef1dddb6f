"""Names for the arrays that training and evaluation hand on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Probs = npt.NDArray[np.float64]
