"""A GPU that nobody can use ends the program in one line, in place of an answer from the CPU.

Runs the real program: with this environment's ONNX Runtime, which is the CPU image's, and with that of the GPU image,
where `GPU_IMAGE_PYTHON` names it.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SERVE = Path(__file__).resolve().parents[3] / "container" / "inference" / "serve.py"
GPU_IMAGE_PYTHON = os.environ.get("GPU_IMAGE_PYTHON", "")
Load = Callable[[str], ModuleType]

for_gpus = pytest.mark.skipif(
    not GPU_IMAGE_PYTHON,
    reason="GPU_IMAGE_PYTHON is not set: name the Python that `make gpu-image-environment` installs packages for",
)


def serve(python: str, base: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(SERVE), "serve"],
        env={"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(base), "BIND_HOST": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_image_for_cpus_serves_on_no_gpu(trained: Path) -> None:
    done = serve(sys.executable, trained, SERVE_ON="gpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: SERVE_ON: got 'gpu'; this image is for CPUs: build it from Dockerfile.gpu\n"


def test_fails_when_it_is_to_serve_on_something_else(trained: Path) -> None:
    done = serve(sys.executable, trained, SERVE_ON="tpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: SERVE_ON: got 'tpu'; allowed are auto, cpu and gpu\n"


def test_an_image_for_cpus_leaves_no_gpu_unused(load: Load, tmp_path: Path) -> None:
    device = load("device")
    gpus = tmp_path / "gpus"
    assert device.serving_device("auto", gpus=gpus) == "cpu"
    gpus.mkdir()
    assert device.serving_device("auto", gpus=gpus) == "cpu"
    (gpus / "0000:00:1e.0").mkdir()
    with pytest.raises(device.UnusableDeviceError, match="no usable GPU: this machine has one, and this image is for"):
        device.serving_device("auto", gpus=gpus)
    assert device.serving_device("cpu", gpus=gpus) == "cpu"


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider':UserWarning")
def test_a_model_is_not_loaded_onto_another_device(load: Load, trained: Path) -> None:
    """What ONNX Runtime does by itself when its provider cannot be had: it takes the CPU and goes on."""
    inference = load("inference")
    with pytest.raises(inference.ModelUnusableError, match="no usable GPU: ONNX Runtime took CPUExecutionProvider"):
        inference.Model.load(trained / "model", threads=1, batch_size=1, device="gpu")


@for_gpus
def test_an_image_for_gpus_stops_where_there_is_none(trained: Path) -> None:
    done = serve(GPU_IMAGE_PYTHON, trained)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no usable GPU: ")
    assert "lib" in line.partition(";")[0], "it says which library is missing, or what the driver said"
    assert line.endswith("or set SERVE_ON=cpu")
