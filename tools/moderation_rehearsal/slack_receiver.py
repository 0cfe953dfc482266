"""A local web server that replaces Slack's incoming webhook."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import ThreadingHTTPServer

from cdk_rehearsal.local_requests import LocalRequestHandler


class SlackReceiver:
    """Stores the received messages. Its URL ends in a random word, like Slack's, and other paths are not answered."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        path = f"/services/{secrets.token_urlsafe(16)}"
        messages = self.messages

        class Handler(LocalRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                known = self.path == path
                if known:
                    messages.append(_text(body))
                self.send_response(200 if known else 404)
                self.end_headers()
                self.wfile.write(b"ok" if known else b"no_service")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{path}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _text(body: bytes) -> str:
    """The message's fallback text if present, otherwise the whole message."""
    try:
        message = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    return str(message.get("text") or message) if isinstance(message, dict) else str(message)
