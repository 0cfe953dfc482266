"""Measures the latency that the ML API adds to the endpoint's, at a constant number of requests per second.

A stub endpoint answers after a fixed time. Requests are sent at fixed times, whether or not earlier ones have been
answered, and alternate between the API and the stub itself, so that both see the same machine. Run it with `python
benchmarks/bench_api.py`; `--api FOLDER` adds another version of container/api, interleaved too.
"""

import argparse
import asyncio
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

API = Path(__file__).parents[1] / "container" / "api"
LARGEST_OVERHEAD_MS = 2.0
POST = "夜泣きがつらくて眠れません。みなさんはどうしていましたか？"  # as long as the median post
ENDPOINT_PATH = "/endpoints/moderation/invocations"
WARM_UP_REQUESTS = 40


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def serve_stub(port: int, endpoint_seconds: float) -> None:
    body = b'{"predictions": "0.93"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]))
            await asyncio.sleep(endpoint_seconds)
            writer.write(head.encode() + body)

    def quietly(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Ignores clients that disconnect."""

    asyncio.get_running_loop().set_exception_handler(quietly)
    await (await asyncio.start_server(answer, "127.0.0.1", port)).serve_forever()


def until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up:
                sys.exit("a server of the benchmark did not start")
            time.sleep(0.05)


@contextmanager
def running(command: list[str | Path], port: int, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        until_it_listens(port, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def api_environment(port: int, endpoint_port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{endpoint_port}",
        "ENDPOINT_NAME": "moderation",
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }


def cpu_seconds(parent: int) -> float:
    """Processor time of a process and its children so far."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(") ")[2].split()
        except OSError:  # the process ended meanwhile
            continue
        if parent in (int(status.parent.name), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Client:
    """Sends posts over keep-alive connections, one per thread; records the latency of each answer in milliseconds."""

    def __init__(self, port: int, path: str) -> None:
        self.milliseconds: list[float] = []
        self._port = port
        self._path = path
        self._thread = threading.local()

    def post(self, due: float) -> None:
        connection = getattr(self._thread, "connection", None)
        if connection is None:
            connection = self._thread.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(max(0.0, due - time.monotonic()))
        start = time.perf_counter()
        connection.request("POST", self._path, json.dumps({"text": POST}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or b"0.93" not in body:
            sys.exit(f"an answer of the benchmark was wrong: {response.status} {body!r}")
        self.milliseconds.append((time.perf_counter() - start) * 1000)


def drive(clients: list[Client], rate: float, requests: int) -> None:
    """Send `requests` with each client in turn, `rate` per second each."""
    turns = cycle(clients)
    total = requests * len(clients)
    with ThreadPoolExecutor(16) as threads, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("requests", total=total)
        start = time.monotonic() + 0.1
        sent = []
        for number in range(total):
            due = start + number / (rate * len(clients))
            time.sleep(max(0.0, due - 0.01 - time.monotonic()))
            sent.append(threads.submit(next(turns).post, due))
            progress.advance(task)
        for one in sent:
            one.result()


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="requests a second, to the API and to the stub each")
    parser.add_argument("--requests", type=int, default=1000, help="timed requests to each")
    parser.add_argument("--endpoint-ms", type=float, default=15, help="the stub's own time")
    parser.add_argument("--api", type=Path, action="append", default=[], help="another version of container/api")
    parser.add_argument("--serve-stub", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_stub:
        return asyncio.run(serve_stub(arguments.serve_stub, arguments.endpoint_ms / 1000))
    with ExitStack() as stack:
        stub = free_port()
        own = ["--serve-stub", str(stub), "--endpoint-ms", str(arguments.endpoint_ms)]
        # The stub has nothing to finish when it is stopped.
        stack.enter_context(running([sys.executable, __file__, *own], stub, stderr=subprocess.DEVNULL))
        clients = {"endpoint alone": Client(stub, ENDPOINT_PATH)}
        processes = {}
        for folder in [API, *arguments.api]:
            port = free_port()
            api = running(
                [sys.executable, "start_api.py"], port, cwd=folder, env=api_environment(port, stub), stderr=sys.stderr
            )
            name = os.path.relpath(folder)
            processes[name] = stack.enter_context(api)
            clients[name] = Client(port, "/v1/moderations")
        drive(list(clients.values()), arguments.rate, WARM_UP_REQUESTS)
        for client in clients.values():
            client.milliseconds.clear()
        before = {name: cpu_seconds(process.pid) for name, process in processes.items()}
        drive(list(clients.values()), arguments.rate, arguments.requests)
        cpu = {name: cpu_seconds(process.pid) - before[name] for name, process in processes.items()}

    table = Table(
        title=f"{arguments.requests} requests each, {arguments.rate:g} a second, interleaved", title_justify="left"
    )
    for column in ("", "p50 ms", "p99 ms", "overhead p50 ms", "overhead p99 ms", "CPU ms a request"):
        table.add_column(column, justify="right" if column else "left", no_wrap=not column)
    alone = clients["endpoint alone"].milliseconds
    for name, client in clients.items():
        row = [percentile(client.milliseconds, 50), percentile(client.milliseconds, 99)]
        if name in cpu:
            row += [row[0] - percentile(alone, 50), row[1] - percentile(alone, 99)]
            row.append(cpu[name] * 1000 / arguments.requests)
        table.add_row(name, *(f"{value:.2f}" for value in row))
    Console().print(table)
    print(f"wanted: overhead p50 at most {LARGEST_OVERHEAD_MS:g} ms")


if __name__ == "__main__":
    main()
