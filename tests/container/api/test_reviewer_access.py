"""Of those whom the load balancer signs in, who is a reviewer: anybody else reads no post and gives no label."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.container.api.conftest import Api, Balancer, Runtime

NOT_ALLOWED = "you are signed in, but you are not a reviewer of this service: ask its operator"


def groups(value: object) -> dict[str, Any]:
    """A claim as a keyword, which no name with a colon can be."""
    return {"cognito:groups": value}


class Pool:
    """Plays a user pool of Cognito: signs access tokens and serves its public keys."""

    client = "balancer-at-the-pool"

    def __init__(self) -> None:
        self.asked = 0
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        document = json.dumps({"keys": [{"kid": "other"}, public | {"kid": "pool-1", "use": "sig", "alg": "RS256"}]})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                known = self.path == "/pool/.well-known/jwks.json"
                self.send_response(200 if known else 404)
                self.end_headers()
                self.wfile.write(document.encode() if known else b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/pool"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, subject: str = "hana", *, key: Any = None, kid: str = "pool-1", **claims: object) -> str:
        told = {
            "sub": subject,
            "iss": self.issuer,
            "client_id": self.client,
            "token_use": "access",
            "cognito:groups": ["readers", "moderators"],
            "exp": int(time.time()) + 300,
            **claims,
        }
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(kept, key or self._key, algorithm="RS256", headers={"kid": kid})


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.close()


@pytest.fixture
def group(api_module: Callable[[str], ModuleType], pool: Pool) -> Any:
    access = api_module("identity.reviewer_access")
    return access.PoolGroup(group="moderators", issuer=pool.issuer, client_id=pool.client)


@pytest.mark.parametrize(
    ("claims", "admitted"),
    [
        ({"groups": ["readers", "moderators"]}, True),
        ({"groups": "moderators"}, True),
        ({"groups": ["moderators-of-another-forum"]}, False),
        ({"groups": "moderators readers"}, False),
        ({"groups": []}, False),
        ({"groups": None}, False),
        ({"groups": {"moderators": True}}, False),
        ({"group": "moderators"}, False),
        ({}, False),
    ],
)
def test_a_claim_admits_by_its_whole_value(
    api_module: Callable[[str], ModuleType], claims: dict[str, Any], admitted: bool
) -> None:
    access = api_module("identity.reviewer_access").RequiredClaim("groups", "moderators")
    assert access.admits("hana", claims, None) is admitted


@pytest.mark.parametrize(("value", "admitted"), [(True, True), ("true", True), (False, False), (1, False)])
def test_a_flag_is_a_claim(api_module: Callable[[str], ModuleType], value: Any, admitted: bool) -> None:
    access = api_module("identity.reviewer_access").RequiredClaim("reviewer", "true")
    assert access.admits("hana", {"reviewer": value}, None) is admitted


def test_a_group_is_read_in_a_token_of_the_pool_and_its_keys_once(group: Any, pool: Pool) -> None:
    before = pool.asked
    assert [group.admits("hana", {}, pool.token()) for _ in range(5)] == [True] * 5
    assert pool.asked == before + 1
    # What the load balancer signed says nothing of groups, whatever it says.
    claims = {"cognito:groups": ["moderators"]}
    assert group.admits("hana", claims, pool.token(**groups(["readers"]))) is False
    assert group.admits("hana", claims, pool.token(**groups(None))) is False
    assert group.admits("hana", claims, pool.token(**groups("moderators"))) is False


OTHERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def unsigned(pool: Pool) -> str:
    parts = ({"alg": "none", "kid": "pool-1"}, jwt.decode(pool.token(), options={"verify_signature": False}))
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (lambda pool: None, "the load balancer sent no access token"),
        (lambda pool: "a.b.c", "the access token is not from the user pool"),
        (unsigned, "the access token is not from the user pool"),
        (lambda pool: pool.token(key=OTHERS_KEY), "the access token is not from the user pool"),
        (lambda pool: pool.token(kid="other"), "the access token is not from the user pool"),
        (lambda pool: pool.token(kid="elsewhere"), "the user pool has no such key"),
        (lambda pool: pool.token(iss="https://id.example"), "the access token is not from the user pool"),
        (lambda pool: pool.token(exp=int(time.time()) - 60), "your sign-in has expired"),
        (lambda pool: pool.token(token_use="id"), "the access token is for another user or another client"),
        (lambda pool: pool.token(client_id="another"), "the access token is for another user or another client"),
        (lambda pool: pool.token("ken"), "the access token is for another user or another client"),
        (lambda pool: pool.token(sub=None), "the access token is not from the user pool"),
    ],
)
def test_a_token_that_is_not_the_pools_for_this_person_admits_nobody(
    api_module: Callable[[str], ModuleType], group: Any, pool: Pool, token: Callable[[Pool], str | None], message: str
) -> None:
    with pytest.raises(api_module("identity.reviewer_access").BadTokenError, match=f"sign in again: {message}"):
        group.admits("hana", {}, token(pool))


def ask(api: Any, path: str, headers: dict[str, str], body: object = None) -> tuple[int, Any]:
    method = "GET" if body is None else "POST"
    given = {"Origin": api.url, **headers}
    answer = requests.request(method, f"{api.url}{path}", json=body, headers=given, timeout=20)
    return answer.status_code, answer.json() if answer.headers["Content-Type"] == "application/json" else answer.text


def test_who_is_not_listed_reads_and_decides_nothing(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer
) -> None:
    api = start_reviews(runtime.url, REVIEW_SUBJECTS="hana ken")
    stranger = {"x-amzn-oidc-data": balancer.header("stranger")}
    for path, body in (
        ("/review", None),
        ("/v1/reviews", None),
        ("/v1/reviews/statistics", None),
        ("/v1/reviews/take", {}),
        (f"/v1/reviews/{'0' * 64}/decide", {"lease": "a", "verdict": "fine"}),
        (f"/v1/reviews/{'0' * 64}/undo", {"decision": 1}),
    ):
        assert ask(api, path, stranger, body) == (403, {"error": NOT_ALLOWED})
    assert ask(api, "/v1/reviews", {"x-amzn-oidc-data": balancer.header("ken")})[0] == 200
    assert '"refused": "stranger"' in api.log_text()


def test_a_group_of_the_pool_reviews_by_the_token_that_the_load_balancer_passes_on(
    start_reviews: Callable[..., Api], runtime: Runtime, balancer: Balancer, pool: Pool
) -> None:
    api = start_reviews(runtime.url, REVIEW_GROUP="moderators", REVIEW_POOL=pool.issuer, REVIEW_POOL_CLIENT=pool.client)
    signed = {"x-amzn-oidc-data": balancer.header("hana")}

    def status(token: str | None) -> int:
        return ask(api, "/v1/reviews", signed | ({"x-amzn-oidc-accesstoken": token} if token else {}))[0]

    assert status(pool.token("hana")) == 200
    assert status(pool.token("hana", **groups(["readers"]))) == 403
    assert status(pool.token("ken")) == 401
    assert status(None) == 401
