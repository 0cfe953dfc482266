"""What hostile clients do to the ML API on loopback, in a process of their own: `attackers <attack> <port> <seconds>`.

Prints a line when it has begun, and at its end what came back, in JSON: a status, `closed` or `nothing`, and how often.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

HEAD = b"POST /v1/moderations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
MARKS = "a" + "\u0315" * 4994 + "\u0300" * 4994
_SEED = 1998
_HOLDERS = 8


class Attack:
    """One attack's clients: threads that run until its time is over, and what they got."""

    def __init__(self, port: int, seconds: float, headers: list[str]) -> None:
        self.address = ("127.0.0.1", port)
        self._over = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._got: Counter[str] = Counter()
        self.headers = headers

    def goes_on(self) -> bool:
        return time.monotonic() < self._over

    def connected(self) -> socket.socket:
        client = socket.create_connection(self.address, timeout=30)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def count(self, what: str) -> None:
        with self._lock:
            self._got[what] += 1

    def send(self, request: bytes) -> None:
        """Send one request, whatever it is, and count what comes back."""
        try:
            with self.connected() as client:
                with suppress(ConnectionError):
                    client.sendall(request)
                    client.shutdown(socket.SHUT_WR)
                self.count(_status(client))
        except TimeoutError:
            self.count("nothing")
        except OSError:
            self.count("closed")

    def repeat(self, threads: int, requests: Callable[[int], Iterator[bytes]]) -> dict[str, int]:
        """Have `threads` clients send what `requests(number of the thread)` yields, one after the other."""

        numbers = iter(range(threads))

        def run() -> None:
            with self._lock:
                number = next(numbers)
            for request in requests(number):
                if not self.goes_on():
                    return
                self.send(request)

        return self.run(threads, run)

    def run(self, threads: int, client: Callable[[], None]) -> dict[str, int]:
        """Run `client` in as many threads, and return what was counted."""
        running = [threading.Thread(target=client) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return dict(self._got)

    def hold(self, connections: int, head: bytes, byte: bytes, *, every_seconds: float) -> dict[str, int]:
        """Hold connections that send `head` and then a byte now and then; each one that is closed is opened again."""

        def run() -> None:
            clients: list[socket.socket] = []
            while self.goes_on():
                while len(clients) < connections // _HOLDERS and self.goes_on():
                    with suppress(OSError):
                        clients.append(self.connected())
                        clients[-1].sendall(head)
                time.sleep(every_seconds)
                kept = []
                for client in clients:
                    client.setblocking(False)
                    try:
                        answer = client.recv(65_536)
                        self.count(_status_of(answer))
                        client.close()
                    except BlockingIOError:
                        client.setblocking(True)
                        client.settimeout(30)
                        with suppress(OSError):
                            client.sendall(byte)
                        kept.append(client)
                    except OSError:
                        self.count("closed")
                        client.close()
                clients = kept
            for client in clients:
                self.count("held to the end")
                client.close()

        return self.run(_HOLDERS, run)


def _status(client: socket.socket) -> str:
    parts = []
    with suppress(ConnectionResetError):
        while part := client.recv(65_536):
            parts.append(part)
    return _status_of(b"".join(parts))


def _status_of(answer: bytes) -> str:
    words = answer.split(b" ", 2)
    return words[1].decode() if len(words) > 1 and words[0].startswith(b"HTTP/") else "closed"


def slow_bodies(attack: Attack) -> dict[str, int]:
    return attack.hold(200, HEAD + b"Content-Length: 1000\r\n\r\n", b"a", every_seconds=0.25)


def slow_chunks(attack: Attack) -> dict[str, int]:
    return attack.hold(200, HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n", b"a", every_seconds=0.25)


def slow_heads(attack: Attack) -> dict[str, int]:
    return attack.hold(200, HEAD + b"X-Slow: ", b"a", every_seconds=0.25)


def idle_connections(attack: Attack) -> dict[str, int]:
    """More than both processes hold."""
    return attack.hold(2400, b"", b"", every_seconds=0.5)


def marks(attack: Attack) -> dict[str, int]:
    """Texts with runs of combining marks, 32 a request: each alone is quadratic where nobody caps the runs."""
    # Unescaped: the two bytes that each has, so that all of them fit into a body.
    body = json.dumps({"texts": [f"{number}{MARKS}" for number in range(32)]}, ensure_ascii=False).encode()
    request = HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def requests(_: int) -> Iterator[bytes]:
        while True:
            yield request

    return attack.repeat(2, requests)


def unknown_keys(attack: Attack) -> dict[str, int]:
    """Reviewers' headers with the right signer, each with a key that nobody knows."""

    def requests(thread: int) -> Iterator[bytes]:
        for header in attack.headers[thread::32]:
            yield f"GET /review HTTP/1.1\r\nHost: a\r\nx-amzn-oidc-data: {header}\r\nConnection: close\r\n\r\n".encode()

    return attack.repeat(32, requests)


def wide_bodies(attack: Attack) -> dict[str, int]:
    """As large as is allowed and larger; deep, and with as many members as fit."""
    deep = b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    members = json.dumps({f"m{number}": number for number in range(50_000)}).encode()
    texts = json.dumps({"texts": ["a" * 9_000] * 100}).encode()
    long = json.dumps({"text": "a" * 1_000_000}).encode()
    above = b'{"text": "' + b"a" * (2 << 20) + b'"}'

    def requests(thread: int) -> Iterator[bytes]:
        while True:
            for body in (deep, members, texts, long, above):
                yield HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    return attack.repeat(4, requests)


def bad_inputs(attack: Attack) -> dict[str, int]:
    """Requests that are none, and good ones of which bytes were changed, left out or doubled, from a seed."""
    body = '{"text": "夜泣きがつらいです。"}'.encode()
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    good = [
        HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body,
        chunked + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n",
        b"GET /v1/reviews?count=10 HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n",
    ]
    known = [
        chunked + b"zz\r\n",
        chunked + b"-1\r\n\r\n",
        chunked + b"5\r\nabcdefgh\r\n0\r\n\r\n",
        chunked + b"ffffffffffffffffff\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\n" + b'{"text":"\xff"}',
        HEAD + b"Content-Length: 18\r\n\r\n" + b'{"text": "\\ud800"}',
        b"GET /%72eview HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //review HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"\x00" * 4096,
    ]

    def requests(thread: int) -> Iterator[bytes]:
        chance = random.Random(_SEED + thread)
        yield from known[thread::8]
        while True:
            request = bytearray(chance.choice(good))
            for _ in range(chance.randint(1, 4)):
                place = chance.randrange(len(request))
                kind = chance.randrange(3)
                if kind == 0:
                    request[place] = chance.randrange(256)
                elif kind == 1 and len(request) > 1:
                    del request[place]
                else:
                    request[place:place] = request[max(0, place - chance.randint(1, 40)) : place]
            yield bytes(request)

    return attack.repeat(8, requests)


def resets(attack: Attack) -> dict[str, int]:
    """Clients that break off in the middle, with a reset."""

    def run() -> None:
        while attack.goes_on():
            with suppress(OSError):
                client = attack.connected()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
                client.close()
                attack.count("reset")

    return attack.run(4, run)


def deaf_clients(attack: Attack) -> dict[str, int]:
    """Clients that ask for a page 40 times at once, and never read an answer."""
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 40

    def run() -> None:
        while attack.goes_on():
            with suppress(OSError), socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(1)
                client.connect(attack.address)
                with suppress(OSError):
                    client.sendall(asked)
                time.sleep(2)
                attack.count("never read")

    return attack.run(64, run)


def flood(attack: Attack) -> dict[str, int]:
    """Distinct texts that are flagged, 32 a request."""

    def requests(thread: int) -> Iterator[bytes]:
        number = 0
        while True:
            texts = [f"flood {thread} {number + place} " + "x" * 500 for place in range(32)]
            number += 32
            body = json.dumps({"texts": texts}).encode()
            yield HEAD + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    return attack.repeat(4, requests)


ATTACKS: dict[str, Callable[[Attack], dict[str, int]]] = {
    attack.__name__: attack
    for attack in (
        slow_bodies,
        slow_chunks,
        slow_heads,
        idle_connections,
        deaf_clients,
        resets,
        marks,
        unknown_keys,
        wide_bodies,
        bad_inputs,
        flood,
    )
}


def main(arguments: list[str]) -> None:
    name, port, seconds, headers = arguments
    listed = json.loads(Path(headers).read_text()) if headers else []
    attack = Attack(int(port), float(seconds), listed)
    print("begun", flush=True)
    print(json.dumps(ATTACKS[name](attack)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
