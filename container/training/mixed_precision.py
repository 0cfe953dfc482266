"""The number type of matrix products in training; the weights are always fp32."""

from __future__ import annotations

from collections.abc import Callable

import torch

NAMES = {None: "off", torch.bfloat16: "bf16", torch.float16: "fp16"}


def training_number_type(wish: str, *, cuda: bool, bf16_is_fast: Callable[[], bool]) -> torch.dtype | None:
    """Return the number type of matrix products; None for fp32.

    `auto` is bf16 on GPUs that support it, fp16 (which needs gradient scaling) on older GPUs, fp32 on CPUs.
    """
    if wish == "off" or (wish == "auto" and not cuda):
        return None
    return torch.bfloat16 if wish == "bf16" or bf16_is_fast() else torch.float16
