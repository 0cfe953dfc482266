"""ONNX Runtime with its telemetry switched off before it loads: its Linux builds send telemetry to Microsoft by
default.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
