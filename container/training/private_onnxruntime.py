"""Imports ONNX Runtime with telemetry switched off: by default its Linux builds send telemetry to Microsoft."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
