"""Chooses the device that serves the model: the CPU or a usable GPU."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

Device = Literal["cpu", "gpu"]

_WISHES = ("auto", "cpu", "gpu")
_PROVIDER = "CUDAExecutionProvider"
_PROVIDER_LIBRARY = Path("capi", "libonnxruntime_providers_cuda.so")
"""A file that ONNX Runtime's package has if it was built for GPUs."""

_GPUS = Path("/proc/driver/nvidia/gpus")
"""Has a folder per GPU of the machine, which a container sees even if it cannot use the GPU."""

_IDENTITY = (
    b"\x08\x08:7\n\x10\n\x01x\x12\x01y\x22\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01"
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
"""An ONNX model that returns its input: the smallest one for which ONNX Runtime initialises a GPU."""

_REASONS = (r"CUDA failure \d+: ([^;\n]+)", r"with error: ([^\n]+)", r"(Failed to create CUDA[^.\n]+)")
"""Patterns in ONNX Runtime's messages for why it cannot use a GPU, the most precise first."""
_LONGEST_REASON = 200


class UnusableDeviceError(Exception):
    """The requested device cannot serve; the message is one line."""


def serving_device(wish: str, *, gpus: Path = _GPUS) -> Device:
    """Return the device to serve on: `cpu`, `gpu`, or with `auto` the one that the image was built for.

    ONNX Runtime itself would silently use the CPU if it cannot use a GPU: many times slower, at the price of the GPU.

    Args:
        wish: the value of `SERVE_ON`.
        gpus: a folder that has a folder per GPU of the machine.

    Raises:
        UnusableDeviceError: another value, a GPU that cannot be used, or a GPU with an image for CPUs.
    """
    if wish not in _WISHES:
        raise UnusableDeviceError(f"SERVE_ON: got {wish!r}; allowed are auto, cpu and gpu")
    if wish == "cpu":
        return "cpu"
    if not _built_for_gpus():
        if wish == "gpu":
            raise UnusableDeviceError("SERVE_ON: got 'gpu'; this image is for CPUs: build it from Dockerfile.gpu")
        if gpus.is_dir() and any(gpus.iterdir()):
            raise UnusableDeviceError(
                "no usable GPU: this machine has one, and this image is for CPUs; build it from Dockerfile.gpu, "
                "take an instance without a GPU, or set SERVE_ON=cpu"
            )
        return "cpu"
    if (reason := _why_no_gpu()) is not None:
        raise UnusableDeviceError(
            f"no usable GPU: {reason}; take a GPU instance whose driver fits this image's CUDA (InferenceAmiVersion, "
            "TransformAmiVersion), or set SERVE_ON=cpu"
        )
    return "gpu"


def _built_for_gpus() -> bool:
    """Return whether ONNX Runtime was built for GPUs, by a file, because loading it takes time."""
    package = importlib.util.find_spec("onnxruntime")
    return (
        package is not None
        and package.origin is not None
        and (Path(package.origin).parent / _PROVIDER_LIBRARY).exists()
    )


def _why_no_gpu() -> str | None:
    """Return why ONNX Runtime cannot use a GPU, None if it can. A separate process tries, and so releases the GPU."""
    asked = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        return None
    said = re.sub(r"\x1b\[[\d;]*m", "", asked.stdout + asked.stderr)
    found = next((match[1] for pattern in _REASONS if (match := re.search(pattern, said))), said)
    return " ".join(found.split())[:_LONGEST_REASON] or f"the test for a GPU ended with status {asked.returncode}"


def _try_gpu() -> int:
    import onnxruntime

    session = onnxruntime.InferenceSession(_IDENTITY, providers=[_PROVIDER, "CPUExecutionProvider"])
    return 0 if _PROVIDER in session.get_providers() else 1


if __name__ == "__main__":
    sys.exit(_try_gpu())
