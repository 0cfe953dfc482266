"""Replaces the load balancer that signs reviewers in: a key pair, and a server for the public key."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from http.server import ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from cdk_rehearsal.local_requests import LocalRequestHandler

_ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/rehearsal/0000000000000000"
_SECONDS = 3600


class LocalSignIn:
    """Signs the header as the load balancer does. The private key exists only in memory, as long as this object."""

    header_name = "x-amzn-oidc-data"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_id = str(uuid.uuid4())
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        path = f"/{self._key_id}"

        class Handler(LocalRequestHandler):
            def do_GET(self) -> None:
                known = self.path == path
                self.send_response(200 if known else 404)
                self.end_headers()
                self.wfile.write(public if known else b"")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which the ML API trusts these signatures and no others."""
        return {
            "REVIEW_SIGNER": _ARN,
            "REVIEW_KEYS_URL": f"http://127.0.0.1:{self._server.server_address[1]}",
        }

    def header(self, reviewer: str) -> str:
        """The header of a request by `reviewer`, valid for an hour."""
        head = {"typ": "JWT", "alg": "ES256", "kid": self._key_id, "signer": _ARN}
        claims = {"sub": reviewer, "email": f"{reviewer}@example.com", "exp": int(time.time()) + _SECONDS}
        # The load balancer keeps the padding, contrary to the standard.
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (head, claims)]
        message = b".".join(parts)
        signature = ECAlgorithm(ECAlgorithm.SHA256).sign(message, self._key)
        return (message + b"." + base64.urlsafe_b64encode(signature)).decode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
