"""Which numbers a training multiplies with; its weights are fp32 in any case."""

from __future__ import annotations

from collections.abc import Callable

import torch

NAMES = {None: "off", torch.bfloat16: "bf16", torch.float16: "fp16"}


def training_number_type(wish: str, *, cuda: bool, bf16_is_fast: Callable[[], bool]) -> torch.dtype | None:
    """What matrix products are calculated with; None: all in fp32.

    `auto` is bf16 on GPUs that have it, fp16 (whose gradients have to be scaled) on older ones, fp32 on CPUs.
    """
    if wish == "off" or (wish == "auto" and not cuda):
        return None
    return torch.bfloat16 if wish == "bf16" or bf16_is_fast() else torch.float16
