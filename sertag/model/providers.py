"""Where ONNX Runtime computes: names of its execution providers, and what to install for each.

Used by `session`. The runtime is not loaded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from sertag.errors import ModelError
from sertag.limits import CPU

# Name on the command line -> name in ONNX Runtime, and the package that has it.
PROVIDERS = MappingProxyType(
    {
        CPU: ("CPUExecutionProvider", "onnxruntime"),
        "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
        "tensorrt": ("TensorrtExecutionProvider", "onnxruntime-gpu"),
        "migraphx": ("MIGraphXExecutionProvider", "onnxruntime-migraphx"),
        "openvino": ("OpenVINOExecutionProvider", "onnxruntime-openvino"),
        "directml": ("DmlExecutionProvider", "onnxruntime-directml"),
        "qnn": ("QNNExecutionProvider", "onnxruntime-qnn"),
        "cann": ("CANNExecutionProvider", "onnxruntime-cann"),
        "coreml": ("CoreMLExecutionProvider", "onnxruntime"),
    }
)


def runtime_names(provider: str, *, available: Sequence[str]) -> list[str]:
    """The names to open a session with: of the provider, and of the processor for operators that it lacks.

    Args:
        provider: one of `PROVIDERS`.
        available: names that this ONNX Runtime has.

    Raises:
        ModelError: there is no such provider, or this ONNX Runtime lacks it.

    >>> runtime_names("cuda", available=["CUDAExecutionProvider", "CPUExecutionProvider"])
    ['CUDAExecutionProvider', 'CPUExecutionProvider']
    """
    ours = [name for name, (theirs, _) in PROVIDERS.items() if theirs in available]
    if provider not in PROVIDERS:
        message = f"provider {provider!r}: there is none of this name; expected one of: {', '.join(PROVIDERS)}"
        raise ModelError(message, code="no_provider")
    theirs, package = PROVIDERS[provider]
    if theirs not in available:
        message = f"provider {provider!r}: this ONNX Runtime has only {', '.join(ours)}"
        advice = "on macOS, `pip install onnxruntime`" if provider == "coreml" else _swap(package)
        raise ModelError(f"{message}; {advice}", code="no_provider")
    cpu = PROVIDERS[CPU][0]
    return list(dict.fromkeys((theirs, cpu)))


def not_started(provider: str, *, path: str, reason: str) -> ModelError:
    """The error for a provider that the runtime has and that does not work here: a driver or a library is missing."""
    message = f"{path}: provider {provider!r} does not start here{': ' if reason else ''}{reason}"
    advice = "are its driver and libraries installed, and is there such a device? --provider cpu needs none"
    return ModelError(f"{message}; {advice}", code="no_provider")


def _swap(package: str) -> str:
    return f"in its place, `pip uninstall onnxruntime` and `pip install {package}`"
