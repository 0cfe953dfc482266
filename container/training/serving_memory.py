"""Measures the memory that serving a model folder takes, in a separate process that does what a worker does.

`python serving_memory.py FOLDER` prints the process's peak in MiB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SERVERS_MIB = 140
"""The memory of nginx, serve.py, gunicorn's master, and of Flask and gunicorn in the worker. Measured with
`make bench-inference`: the peak of all processes minus the peak of the bare session."""
_STATUS = Path("/proc/self/status")
_LONG_POST = "夜泣きで悩んでいます。" * 900
"""About the longest allowed post, which takes the most memory."""


def serving_memory(folder: Path) -> dict[str, int] | None:
    """Return the manifest's `serving`: `mib` of all processes with one worker, of which the model takes `worker_mib`.

    None on systems other than Linux, which do not report it.
    """
    if not _STATUS.exists():
        return None
    asked = subprocess.run(
        [sys.executable, __file__, str(folder)],
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.PIPE,  # errors go to the job's log
        text=True,
        check=True,
    )
    worker = int(asked.stdout.split()[-1])
    return {"mib": worker + SERVERS_MIB, "worker_mib": worker}


def _encode(preprocessing: dict[str, Any], folder: Path) -> Any:
    """Encode a post as the recipes do, with the imports of serving only: neither torch nor scikit-learn."""
    if preprocessing["kind"] == "code_points":
        import numpy as np
        from text_normalisation import normalise

        def code_points(text: str) -> dict[str, Any]:
            normalised = normalise(text, preprocessing["normalisation"])
            return {"code_points": np.array([[ord(character) for character in normalised]], dtype=np.int64)}

        return code_points
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / preprocessing["tokenizer"]))
    if preprocessing["kind"] == "japanese_wordpiece":
        from japanese_wordpiece import JapaneseWordpiece

        words = JapaneseWordpiece(tokenizer)
        return lambda text: words.encode([text])
    import numpy as np
    from fast_tokenizer import FastTokenizer

    cut = FastTokenizer(tokenizer, control_tokens=preprocessing["control_tokens"])

    def tokens(text: str) -> dict[str, Any]:
        ids = np.array(cut.token_ids([text]), dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    return tokens


def _run(model: Path, preprocessing: dict[str, Any], folder: Path) -> None:
    from private_onnxruntime import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    session.run(["probability"], _encode(preprocessing, folder)(_LONG_POST))
    _KEPT.append(session)


_KEPT: list[Any] = []
"""Keeps the objects in memory, as a worker does."""


def main(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    first = manifest.get("cascade", {}).get("first_stage")
    if first:
        _run(folder / first["model"], first["preprocessing"], folder)
    _run(folder / "model.onnx", manifest["preprocessing"], folder)
    status = _STATUS.read_text(encoding="ascii")
    print(-(-int(status.partition("VmHWM:")[2].split()[0]) // 1024))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
