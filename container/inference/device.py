"""What the model is served on: the CPU, or a GPU that is there and can be used."""

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
"""In ONNX Runtime's package, where it was built for GPUs."""

_GPUS = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU of the machine: a container sees it even where it was given none of them."""

_IDENTITY = (
    b"\x08\x08:7\n\x10\n\x01x\x12\x01y\x22\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01"
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
"""An ONNX model that answers what it is given: the smallest for which ONNX Runtime prepares a GPU."""

_REASONS = (r"CUDA failure \d+: ([^;\n]+)", r"with error: ([^\n]+)", r"(Failed to create CUDA[^.\n]+)")
"""How ONNX Runtime's messages say why it cannot use a GPU, the most precise first."""
_LONGEST_REASON = 200


class UnusableDeviceError(Exception):
    """What was to serve cannot; the message is one line."""


def serving_device(wish: str, *, gpus: Path = _GPUS) -> Device:
    """Where to serve: `cpu`, `gpu`, or with `auto` what the image was built for.

    ONNX Runtime goes on with the CPU where it cannot use a GPU: many times slower, at the price of the GPU.

    Args:
        wish: the value of `SERVE_ON`.
        gpus: has a folder for each GPU of the machine.

    Raises:
        UnusableDeviceError: another value, a GPU that cannot be used, or one that this image has no use for.
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
            f"no usable GPU: {reason}; take a GPU instance whose driver is for this image's CUDA (InferenceAmiVersion, "
            "TransformAmiVersion), or set SERVE_ON=cpu"
        )
    return "gpu"


def _built_for_gpus() -> bool:
    """Looks for a file, since ONNX Runtime takes a moment to load."""
    package = importlib.util.find_spec("onnxruntime")
    return (
        package is not None
        and package.origin is not None
        and (Path(package.origin).parent / _PROVIDER_LIBRARY).exists()
    )


def _why_no_gpu() -> str | None:
    """None where ONNX Runtime can use a GPU; asked in a process of its own, which gives the GPU back at its end."""
    asked = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        return None
    said = re.sub(r"\x1b\[[\d;]*m", "", asked.stdout + asked.stderr)
    found = next((match[1] for pattern in _REASONS if (match := re.search(pattern, said))), said)
    return " ".join(found.split())[:_LONGEST_REASON] or f"the look for one ended with status {asked.returncode}"


def _try_gpu() -> int:
    import onnxruntime

    session = onnxruntime.InferenceSession(_IDENTITY, providers=[_PROVIDER, "CPUExecutionProvider"])
    return 0 if _PROVIDER in session.get_providers() else 1


if __name__ == "__main__":
    sys.exit(_try_gpu())
