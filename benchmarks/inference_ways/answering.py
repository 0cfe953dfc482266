"""The protocol of a way of predicting: lines on standard input and output."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def answer_turns(posts: Path, predict: Callable[[Any], object]) -> None:
    """Predicts once, reports it, then times the posts of each line of indices, except the line's first one.

    `posts` holds a JSON list with one item per post: what `predict` takes, token ids or a text. Answers each line with
    `{"seconds": […], "cpu_seconds": …, "peak_mb": …}`; the CPU time is that of all posts of the line and all threads.
    """
    items = json.loads(posts.read_text())
    predict(items[0])
    print("ready", flush=True)
    for line in sys.stdin:
        indices = json.loads(line)
        predict(items[indices[0]])
        seconds, cpu = [], time.process_time()
        for index in indices:
            start = time.perf_counter()
            predict(items[index])
            seconds.append(time.perf_counter() - start)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "peak_mb": peak_mb}
        print(json.dumps(answer), flush=True)
