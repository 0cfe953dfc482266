"""What a web page can make the browser of whoever rehearses send to this machine."""

import base64
import http.client
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from moderation_rehearsal.local_sign_in import LocalSignIn
from moderation_rehearsal.slack_receiver import SlackReceiver

CHROMIUM = shutil.which("chromium")
FUNCTIONS = "/2015-03-31/functions"


def port_of(aws: EmbeddedAws) -> int:
    return int(aws.endpoint_url.rpartition(":")[2])


def asked(port: int, *headers: tuple[str, str], method: str = "GET", path: str = "/_embedded/judged-calls") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


OWN = [
    ("localhost", []),
    ("LOCALHOST:{port}", []),
    ("127.0.0.1:{port}", []),
    ("[::1]:{port}", []),
    ("some.bucket.localhost:{port}", []),
    ("localhost:{port}", [("Origin", "http://localhost:{port}")]),
    ("localhost:{port}", [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")]),
    ("localhost:{port}", [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")]),
]
FOREIGN = [
    # A name that its owner lets resolve to 127.0.0.1, and what looks like loopback's.
    ("attacker.example:{port}", []),
    ("localhost.attacker.example:{port}", []),
    ("127.0.0.1.attacker.example", []),
    ("localhost@attacker.example", []),
    ("attackerlocalhost:{port}", []),
    ("0.0.0.0:{port}", []),
    ("host.docker.internal:{port}", []),
    ("localhost:{port}, attacker.example", []),
    ("", []),
    # Pages of others, and of other programs of this machine.
    ("localhost:{port}", [("Origin", "https://attacker.example")]),
    ("localhost:{port}", [("Origin", "null")]),
    ("localhost:{port}", [("Origin", "")]),
    ("localhost:{port}", [("Origin", "http://localhost:1")]),
    ("localhost:{port}", [("Origin", "http://127.0.0.1:{port}")]),
    ("localhost:{port}", [("Origin", "http://localhost:{port}"), ("oRiGiN", "https://attacker.example")]),
    ("localhost:{port}", [("Sec-Fetch-Site", "cross-site")]),
    ("localhost:{port}", [("sec-fetch-site", "same-site")]),
    ("localhost:{port}", [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]),
    ("localhost:{port}", [("Sec-Fetch-Mode", "no-cors")]),
    ("localhost:{port}", [("Sec-Fetch-Site", "none"), ("Origin", "https://attacker.example")]),
]


def filled(port: int, host: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value.format(port=port)) for name, value in [("Host", host), *headers]]


@pytest.mark.parametrize(("host", "headers"), OWN)
def test_own_programs_are_served(embedded_aws: EmbeddedAws, host: str, headers: list[tuple[str, str]]) -> None:
    port = port_of(embedded_aws)
    assert asked(port, *filled(port, host, headers)) == 200


@pytest.mark.parametrize(("host", "headers"), FOREIGN)
def test_foreign_requests_are_refused(embedded_aws: EmbeddedAws, host: str, headers: list[tuple[str, str]]) -> None:
    port = port_of(embedded_aws)
    for method, path in [("GET", "/_embedded/judged-calls"), ("POST", FUNCTIONS), ("OPTIONS", FUNCTIONS)]:
        assert asked(port, *filled(port, host, headers), method=method, path=path) == 403


def test_a_foreign_websocket_is_refused(embedded_aws: EmbeddedAws) -> None:
    port = port_of(embedded_aws)
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    for foreign in [("Origin", "https://attacker.example"), ("Sec-Fetch-Site", "cross-site")]:
        assert asked(port, ("Host", f"localhost:{port}"), *upgrade, key, foreign, path="/") == 403
    assert asked(port, ("Host", f"attacker.example:{port}"), *upgrade, key, path="/") == 403


def test_a_link_that_somebody_follows_calls_no_action(embedded_aws: EmbeddedAws) -> None:
    port = port_of(embedded_aws)
    followed = [("Host", f"localhost:{port}"), ("Sec-Fetch-Site", "none")]
    assert asked(port, *followed, path="/?Action=ListTopics&Version=2010-03-31") == 403
    assert asked(port, followed[0], path="/?Action=ListTopics&Version=2010-03-31") == 200


@pytest.mark.parametrize("server", [SlackReceiver, LocalSignIn])
def test_what_else_listens_refuses_them_too(server: type[Any]) -> None:
    listening = server()
    try:
        url = getattr(listening, "url", None) or f"{listening.environment['REVIEW_KEYS_URL']}/"
        port, path = int(url.split(":")[2].split("/")[0]), "/" + url.split("/", 3)[3]
        assert asked(port, ("Host", f"127.0.0.1:{port}"), ("Content-Length", "0"), path=path) != 403
        assert asked(port, ("Host", "attacker.example"), path=path) == 403
        assert asked(port, ("Host", f"127.0.0.1:{port}"), ("Origin", "null"), method="POST", path=path) == 403
        assert getattr(listening, "messages", []) == []
    finally:
        listening.stop()


def code() -> str:
    """A function's archive, as a page has it to hand."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("f.py", "def handler(event, context): return 'run'")
    return base64.b64encode(archive.getvalue()).decode()


@pytest.fixture
def page_elsewhere() -> Iterator[str]:
    """The address of another server's page, which may send what it wants."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>elsewhere</title>")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH: apt-get install chromium")
def test_a_page_of_another_origin_runs_nothing(embedded_aws: EmbeddedAws, page_elsewhere: str) -> None:
    from playwright.sync_api import sync_playwright

    name = "made-by-a-page"
    function = {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Role": "arn:aws:iam::123456789012:role/sagemaker",
        "Handler": "f.handler",
        "Code": {"ZipFile": code()},
    }
    # A "simple" request: the browser sends it without asking first.
    send = """async ([url, body]) => {
        await fetch(url, {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body});
    }"""
    port = port_of(embedded_aws)
    with sync_playwright() as playwright:
        # The page's own name resolves to this machine, as its owner's name server can have it.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP attacker.example 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.goto(page_elsewhere)
        answered = []
        page.on("response", lambda response: answered.append((response.url, response.status)))
        for host in ("localhost", "127.0.0.1"):
            page.evaluate(send, [f"http://{host}:{port}{FUNCTIONS}", json.dumps(function)])
        rebound = page.goto(f"http://attacker.example:{port}{FUNCTIONS}/")
        assert rebound is not None
        assert rebound.status == 403
        browser.close()
    assert [status for url, status in answered if url.endswith(FUNCTIONS)] == [403, 403]
    listed = embedded_aws.client("lambda").list_functions()["Functions"]
    assert name not in [made["FunctionName"] for made in listed]
