"""Times the inference image's programs against the original's way and against ONNX Runtime alone, on the same cores.

A BERT-base with random weights, and a student of it, each alone and behind a first stage that answers `--share` of the
posts, answer posts of 20 to 200 tokens (median 60). The ways alternate (A B A B), a few posts each, so that other load
on the machine affects all of them. Each turn begins with an untimed post, which warms the caches. Compare the ratios,
not the milliseconds. On a busy machine compare only the CPU time, since two threads that work on one post wait for the
slower one. Ours is timed over HTTP, through nginx, with tokenising and the client's overhead; for the others only the
model's call is timed, in their process, one post at a time whatever the number of clients.

Run it with `make bench-inference`. It needs `BERT_PYTHON`, an interpreter with the packages of container/training;
`TENSORFLOW_PYTHON`, one with TensorFlow, is the original; without it PyTorch padded to 512 stands in for it, and no
target counts as met. `make bench-recipes` measures the quality of a student and a first stage, on real weights.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import matplotlib
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PROJECT = Path(__file__).parents[1]
WAYS = Path(__file__).parent / "inference_ways"
CLIENTS = (1, 8, 32)
POSTS = 400
OVERLOAD_SECONDS = 15.0
OVERLOAD_THREADS = 200
OURS, OURS_THROUGHPUT = "ours, over HTTP", "ours, SERVE_FOR=throughput"
STUDENT, STUDENT_THROUGHPUT = "student", "student, SERVE_FOR=throughput"
CASCADE, CASCADE_STUDENT = "cascade", "cascade + student"
BARE, BARE_STUDENT = "bare session.run", "bare session.run, student"
TENSORFLOW = "TensorFlow, padded to 512"
TARGETS = (
    # Targets of the best way without a first stage, then of int8 BERT-base; ratios to the original.
    (None, "p50 ms", 100.0),
    (None, "p99 ms", 50.0),
    (None, "posts/s, 8 clients", 150.0),
    (OURS, "p50 ms", 25.0),
)
LARGEST_SHARE_OF_BARE = 1.10
"""Ratio of HTTP's p50 to the bare call's, for BERT-base."""
MOST_MS_BEYOND_BARE = 1.2
"""The same ratio for a student."""
PROFILED_TOKENS = 60
PRODUCTS = ("MatMul", "Gemm", "FusedGemm", "Attention", "DynamicQuantizeMatMul", "QAttention")


class InProcess:
    """A way that is driven over standard input and output."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        start = time.perf_counter()
        self._process = subprocess.Popen(
            command, cwd=WAYS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if self._line() != "ready\n":
            sys.exit(f"{command[1]} did not start; run it by itself to see why")
        self.start_seconds = time.perf_counter() - start
        self.peak_mb = self.cpu_seconds = 0.0

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def seconds(self, posts: Sequence[int]) -> list[float]:
        """Of each post."""
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps(posts)}\n")
        self._process.stdin.flush()
        answer = json.loads(self._line())
        self.peak_mb = answer["peak_mb"]
        self.cpu_seconds += answer["cpu_seconds"]
        return [float(taken) for taken in answer["seconds"]]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class LeanClient:
    """A keep-alive connection with little overhead: `http.client` takes 0.3 ms more per post, on the server's cores."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, body: bytes) -> None:
        self._socket.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        answer = b""
        while not self._is_whole(answer):
            answer += self._socket.recv(65536) or sys.exit("the server closed a connection under a post")
        if not answer.startswith(b"HTTP/1.1 200 "):
            sys.exit(f"a post was answered {answer.decode()}")

    @staticmethod
    def _is_whole(answer: bytes) -> bool:
        head, end, content = answer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
        return bool(end and length) and len(content) >= int(length[1])

    def close(self) -> None:
        self._socket.close()


class Served:
    """serve.py behind nginx, as the container runs it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._bodies = [json.dumps({"text": text}).encode() for text in json.loads((folder / "texts.json").read_text())]
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, PROJECT / "container" / "inference" / "serve.py", "serve"],
            env={
                **os.environ,
                "SAGEMAKER_BASE_DIR": str(folder),
                "SAGEMAKER_BIND_TO_PORT": str(self._port),
                "BIND_HOST": "127.0.0.1",
                **environment,
            },
            stdout=subprocess.DEVNULL,
        )
        while not self._answers_ping():
            if self._process.poll() is not None:
                sys.exit("serve.py ended; its error is above")
            time.sleep(0.005)
        self.start_seconds = time.perf_counter() - start
        self.cpu_seconds = 0.0

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)

    def _answers_ping(self) -> bool:
        connection = self._connect()
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def seconds(self, posts: Sequence[int]) -> list[float]:
        """Of each post."""
        client = LeanClient(self._port)  # one per turn: the server closes idle connections during other turns
        client.post(self._bodies[posts[0]])
        found, cpu = [], self._cpu_seconds_so_far()
        for post in posts:
            start = time.perf_counter()
            client.post(self._bodies[post])
            found.append(time.perf_counter() - start)
        client.close()
        self.cpu_seconds += self._cpu_seconds_so_far() - cpu
        return found

    def posts_a_second(self, posts: Sequence[int], *, clients: int) -> float:
        """Throughput of this many clients, each of which sends its next post after the previous answer."""
        waiting = iter(posts)
        lock = threading.Lock()

        def run() -> None:
            client = LeanClient(self._port)
            while True:
                with lock:
                    post = next(waiting, None)
                if post is None:
                    client.close()
                    return
                client.post(self._bodies[post])

        threads = [threading.Thread(target=run) for _ in range(clients)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(posts) / (time.perf_counter() - start)

    def overload(self, *, posts_a_second: float, seconds: float) -> tuple[list[float], int]:
        """Sends at this rate regardless of answers; returns the seconds of accepted posts and the number of refused
        ones.
        """
        accepted: list[float] = []
        refused = 0

        def send(number: int, due: float) -> None:
            nonlocal refused
            connection = self._connect()
            connection.request(
                "POST", "/invocations", self._bodies[number % POSTS], {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            response.read()
            if response.status == http.HTTPStatus.OK:
                accepted.append(time.perf_counter() - due)
            elif response.status == http.HTTPStatus.SERVICE_UNAVAILABLE and response.getheader("Retry-After"):
                refused += 1
            else:
                sys.exit(f"a post was answered {response.status} in an overload")
            connection.close()

        start = time.perf_counter()
        with ThreadPoolExecutor(OVERLOAD_THREADS) as threads:
            sent = []
            for number in range(int(posts_a_second * seconds)):
                due = start + number / posts_a_second
                time.sleep(max(0.0, due - time.perf_counter()))
                sent.append(threads.submit(send, number, due))
            for answer in sent:
                answer.result()
        return accepted, refused

    def _processes(self) -> list[Path]:
        found = [Path(f"/proc/{self._process.pid}")]
        for process in found:
            for task in (process / "task").iterdir():
                found.extend(Path(f"/proc/{child}") for child in (task / "children").read_text().split())
        return found

    def _cpu_seconds_so_far(self) -> float:
        """CPU time of all its processes: serve.py, nginx and gunicorn."""
        ticks = 0
        for process in self._processes():
            user, system = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(system)
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def peak_mb(self) -> float:
        """The sum of the peak memory of all its processes; shared pages count several times."""
        statuses = [(process / "status").read_text() for process in self._processes()]
        return sum(int(status.partition("VmHWM:")[2].split()[0]) for status in statuses) / 1024

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


COUNTED = (OURS, OURS_THROUGHPUT, STUDENT, STUDENT_THROUGHPUT)
"""Not compared with targets: the share that a first stage answers is `--share` here, not measured on data."""


def original_command(posts: Path, threads: int, bert_python: str) -> tuple[str, list[str | Path]]:
    tensorflow = os.environ.get("TENSORFLOW_PYTHON")
    name, python, program = (
        (TENSORFLOW, tensorflow, "keras_padded.py")
        if tensorflow
        else ("PyTorch, padded to 512", bert_python, "pytorch_padded.py")
    )
    return name, [python, WAYS / program, posts, str(threads)]


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def bare(token_ids: Path, job: Path) -> InProcess:
    """ONNX Runtime alone, with the model of this job."""
    model = job / "model" / "model.onnx"
    return InProcess([sys.executable, WAYS / "bare_session.py", token_ids, model, str(cores())])


def cores() -> int:
    return len(os.sched_getaffinity(0))


def measure(folder: Path, *, rounds: int, posts_a_turn: int, bert_python: str) -> dict[str, dict[str, float]]:
    token_ids = folder / "token_ids.json"
    original, command = original_command(token_ids, cores(), bert_python)

    with ExitStack() as stack, Progress(console=Console(stderr=True), transient=True) as progress:
        ways: dict[str, InProcess | Served] = {}
        for name, start in (
            (original, lambda: InProcess(command)),
            (BARE, lambda: bare(token_ids, folder)),
            (OURS, lambda: Served(folder, {})),
            (OURS_THROUGHPUT, lambda: Served(folder, {"SERVE_FOR": "throughput"})),
            (CASCADE, lambda: Served(folder / "cascade", {})),
            (BARE_STUDENT, lambda: bare(token_ids, folder / "student")),
            (STUDENT, lambda: Served(folder / "student", {})),
            (STUDENT_THROUGHPUT, lambda: Served(folder / "student", {"SERVE_FOR": "throughput"})),
            (CASCADE_STUDENT, lambda: Served(folder / "cascade-student", {})),
        ):
            ways[name] = start()
            stack.callback(ways[name].stop)
        task = progress.add_task("posts", total=rounds)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        rates: dict[str, dict[int, list[float]]] = {
            name: {clients: [] for clients in CLIENTS} for name, way in ways.items() if isinstance(way, Served)
        }
        for turn in range(rounds):
            posts = [number % POSTS for number in range(turn * posts_a_turn, (turn + 1) * posts_a_turn)]
            for name, way in ways.items():
                seconds[name] += way.seconds(posts)
                if isinstance(way, Served):
                    for clients in CLIENTS:
                        # Enough posts for each client to wait for others several times.
                        sent = posts * (4 if clients == 1 else -(-4 * clients // len(posts)))
                        rates[name][clients].append(way.posts_a_second(sent, clients=clients))
            progress.advance(task)
        found = {}
        for name, way in ways.items():
            one_at_a_time = len(seconds[name]) / sum(seconds[name])
            found[name] = {
                "p50 ms": 1000 * percentile(seconds[name], 50),
                "p99 ms": 1000 * percentile(seconds[name], 99),
                "CPU ms per post": 1000 * way.cpu_seconds / len(seconds[name]),
                **{
                    f"posts/s, {clients} clients": statistics.median(rates[name][clients])
                    if name in rates
                    else one_at_a_time
                    for clients in CLIENTS
                },
                "peak MB": way.peak_mb,
                "start s": way.start_seconds,
            }
    return found


def overload_line(folder: Path, capacity: float) -> str:
    served = Served(folder, {})
    try:
        accepted, refused = served.overload(posts_a_second=2 * capacity, seconds=OVERLOAD_SECONDS)
    finally:
        served.stop()
    return (
        f"at twice its capacity ({2 * capacity:.0f} posts/s for {OVERLOAD_SECONDS:.0f} s): {len(accepted)} accepted, "
        f"{refused} refused with 503 and Retry-After; of the accepted p50 {1000 * percentile(accepted, 50):.0f} ms, "
        f"p99 {1000 * percentile(accepted, 99):.0f} ms"
    )


def profiles(folder: Path) -> dict[str, dict[str, float]]:
    """Milliseconds per operator for a post of typical length, one thread: fp32, and int8 as served."""
    found: dict[str, dict[str, float]] = {}
    for name, model in (
        ("fp32", folder / "fp32.onnx"),
        ("int8", folder / "model" / "model.onnx"),
        ("student, int8", folder / "student" / "model" / "model.onnx"),
    ):
        command = [sys.executable, WAYS / "operator_profile.py", str(PROFILED_TOKENS), model]
        operators = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        products = sum(operators.get(operator, 0.0) for operator in PRODUCTS)
        slowest = sorted(operators, key=operators.__getitem__, reverse=True)[:6]
        found[name] = {
            "all": sum(operators.values()),
            "matrix products and attention": products,
            "the rest": sum(operators.values()) - products,
        }
        print(f"{name}: " + ", ".join(f"{operator} {operators[operator]:.1f} ms" for operator in slowest))
    return found


def http_profile(folder: Path, *, rounds: int, posts_a_turn: int) -> dict[str, dict[str, float]]:
    """A student's p50 in milliseconds as each layer is added: the difference is what the layer takes."""
    job = folder / "student"
    called = [sys.executable, WAYS / "model_predict.py", folder / "texts.json", job / "model", str(cores())]
    with ExitStack() as stack:
        ways: dict[str, InProcess | Served] = {}
        for name, start in (
            (BARE_STUDENT, lambda: bare(folder / "token_ids.json", job)),
            ("tokeniser and queue", lambda: InProcess(called)),
            ("gunicorn", lambda: Served(job, {"NGINX_PROGRAM": ""})),
            ("nginx", lambda: Served(job, {})),
        ):
            ways[name] = start()
            stack.callback(ways[name].stop)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds):
            posts = [number % POSTS for number in range(turn * posts_a_turn, (turn + 1) * posts_a_turn)]
            for name, way in ways.items():
                seconds[name] += way.seconds(posts)
    found: dict[str, dict[str, float]] = {}
    before = 0.0
    for name, taken in seconds.items():
        p50 = 1000 * percentile(taken, 50)
        found[name if name == BARE_STUDENT else f"+ {name}"] = {"p50 ms": p50, "more ms": p50 - before}
        before = p50
    return found


def ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """How many times better than the first way: faster, more, smaller."""
    original = next(iter(found.values()))
    return {
        name: {
            what: figures[what] / original[what] if what.startswith("posts/s") else original[what] / figures[what]
            for what in figures
        }
        for name, figures in found.items()
    }


def verdicts(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """One line per target: met, missed, or unknown without the original."""
    original = next(iter(found))
    times = ratios(found)
    lines = []
    for way, what, wanted in TARGETS:
        best = way or max((name for name in found if name in COUNTED), key=lambda name: times[name][what])
        seen = times[best][what]
        lines.append(_verdict(f"{what} {wanted:g} ×", f"{seen:.1f} × ({best})", seen >= wanted, original))
    share = found[OURS]["p50 ms"] / found[BARE]["p50 ms"]
    lines.append(
        _verdict(
            f"HTTP p50 {LARGEST_SHARE_OF_BARE:.2f} of {BARE}", f"{share:.2f}", share <= LARGEST_SHARE_OF_BARE, None
        )
    )
    beyond = found[STUDENT]["p50 ms"] - found[BARE_STUDENT]["p50 ms"]
    lines.append(
        _verdict(
            f"{MOST_MS_BEYOND_BARE} ms beyond {BARE_STUDENT}", f"{beyond:.2f} ms", beyond <= MOST_MS_BEYOND_BARE, None
        )
    )
    return lines


def _verdict(target: str, seen: str, met: bool, original: str | None) -> str:
    if original is not None and original != TENSORFLOW:
        return f"target {target}: {seen} against {original}, a stand-in: counts as not met"
    return f"target {target}: {seen}: {'met' if met else 'missed'}"


def print_table(title: str, rows: Mapping[str, Mapping[str, float]], form: str) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("way")
    for column in next(iter(rows.values())):
        table.add_column(column, justify="right")
    for name, figures in rows.items():
        table.add_row(name, *(form.format(figure) for figure in figures.values()))
    Console(width=170).print(table)


def draw(rows: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """A panel per figure, with a bar per way."""
    original = next(iter(rows))
    compared = [name for name in rows if name != original]
    columns = list(rows[original])
    figure, panels = plt.subplots(2, -(-len(columns) // 2), figsize=(13, 6), sharey=True)
    for column, axes in zip(columns, panels.flat, strict=True):
        bars = axes.barh(compared, [rows[name][column] for name in compared], color="tab:blue")
        axes.bar_label(bars, fmt="%.3g ×", padding=2, fontsize=8)
        axes.set_title(column, fontsize=10)
        axes.set_xscale("log")
        axes.set_xlim(1, 10 * max(rows[name][column] for name in compared))
        axes.spines[["top", "right"]].set_visible(False)
    panels.flat[0].invert_yaxis()
    figure.suptitle(f"times better than {original}")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=64, help="turns of each way")
    parser.add_argument("--posts", type=int, default=4, help="posts per turn")
    parser.add_argument("--share", type=float, default=0.5, help="of the posts, answered by the first stage")
    parser.add_argument("--layers", type=int, default=4, help="of the student")
    parser.add_argument("--width", type=int, default=320, help="of the student")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build" / "bench-inference", help="kept between runs")
    parser.add_argument("--plot", type=Path, default=PROJECT / "docs" / "images" / "bench-inference.png")
    given = parser.parse_args()
    bert_python = os.environ.get("BERT_PYTHON")
    if not bert_python:
        sys.exit("BERT_PYTHON is not set: name a python with the packages of container/training installed")
    if not shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin"):
        sys.exit("nginx is not installed: apt install nginx-light")
    folder = given.folder.resolve()
    made = folder / "made.json"
    shape = json.dumps({"layers": given.layers, "width": given.width, "share": given.share})
    if not made.exists() or made.read_text() != shape:
        make = [bert_python, WAYS / "make_model.py", PROJECT / "container" / "training", folder, str(POSTS)]
        subprocess.run([*make, str(given.layers), str(given.width), str(given.share)], check=True)
        made.write_text(shape)
    load = os.getloadavg()[0]
    found = measure(folder, rounds=given.rounds, posts_a_turn=given.posts, bert_python=bert_python)
    print_table(f"{given.rounds * given.posts} posts per way, {cores()} cores", found, "{:,.1f}")
    print_table(f"times better than {next(iter(found))}", ratios(found), "{:.2f}")
    print("\n".join(verdicts(found)))
    print(overload_line(folder, found[OURS][f"posts/s, {CLIENTS[1]} clients"]))
    print_table(f"a post of {PROFILED_TOKENS} tokens on one thread, ms by operator", profiles(folder), "{:.1f}")
    layers = http_profile(folder, rounds=given.rounds, posts_a_turn=given.posts)
    print_table("a student over HTTP, layer by layer", layers, "{:.2f}")
    print(f"load average before the run: {load:.1f} (it should be near 0: what others calculate is in these figures)")
    draw(ratios(found), given.plot)
    print(f"plot: {given.plot}")


if __name__ == "__main__":
    main()
