"""ONNX Runtime, told before it loads that it may send nothing to its maker: its Linux builds do so by default."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
