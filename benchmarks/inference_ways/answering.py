"""The protocol of a way of predicting: lines on standard input and output."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def answer_turns(posts: Path, predict: Callable[[list[int]], object]) -> None:
    """Predicts once, reports it, then times the posts of each line of indices, except the line's first one.

    `posts` holds a JSON list of token ids a post. Answers `{"seconds": […], "cpu_seconds": …, "peak_mb": …}` a line,
    the CPU's for all its posts and all threads.
    """
    token_ids = json.loads(posts.read_text())
    predict(token_ids[0])
    print("ready", flush=True)
    for line in sys.stdin:
        indices = json.loads(line)
        predict(token_ids[indices[0]])
        seconds, cpu = [], time.process_time()
        for index in indices:
            start = time.perf_counter()
            predict(token_ids[index])
            seconds.append(time.perf_counter() - start)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "peak_mb": peak_mb}
        print(json.dumps(answer), flush=True)
