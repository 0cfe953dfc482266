"""A step of the release workflow that is a function of the team's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..._checks import check_interface, check_kind
from ..._interfaces import AnyFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStep:
    """Takes the place of a step of the release workflow; what the function raises ends the release.

    What it is given and what it returns, by the step that it replaces; the URI of a folder ends in a slash:

    - `extract`: given `bucket`, `posts_prefix` and `run_prefix` (`runs/<execution>/`); returns
      `{"train": {"uri"}, "test": {"uri", "texts_uri"}}`. Whatever else it returns is recorded with the release.
    - `preprocess`: given `posts` (what extraction returned), `bucket` and `run_prefix`; returns
      `{"train": {"uri"}, "test": {"uri"}}`.
    - `evaluate`: given `model_data`, `test_uri` (the held-out posts) and `current_scores` (a URI, or null); returns
      `{"metrics": {"auc": 0.93, …}, "current_metrics": {…} or null}`, and perhaps with how sure that is:
      `{"comparison": {"confidence": 0.95, "violations": 33, "auc": {"value": …, "low": …, "high": …},
      "auc_drop": {…}}}`; and with `validation`, counts of the validation posts in bins, by which `ModelDrift` compares
      what is served: `{"score": {"fine": [0, 7, …], "violation": […]}, "length": {…}, "unseen": {…}}`.
    - `check`: given `endpoint_name`, `model`, `posts` (the URI of the held-out posts) and `model_data`; what it returns
      is not looked at.

    The current model is asked about the posts at `test.texts_uri` (`posts.jsonl`, lines of `{"text": …}`), in the order
    of those at `test.uri`. Without it nobody asks, and a gate that compares refuses.

    Args:
        function: invoked synchronously. It needs permissions of its own for what it reads and writes.
        payload: what it is given instead. A text of the form `{% … %}` is JSONata over the workflow's variables:
            `$release`, `$posts`, `$held_out`, `$model_data`, `$metrics`, `$current`. Default: what is listed above.

    Raises:
        InvalidArgumentError: no function, or a payload that is no mapping.

    Example:
        ```python
        check = FunctionStep(
            function=lambda_.Function.from_function_name(self, "SmokeTest", "smoke-test"),
            payload={"endpoint": "spam-filter", "release": "{% $release %}"},
        )
        ```
    """

    function: AnyFunction
    payload: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        check_interface(
            "function", self.function, "function_arn", "an IFunction", "import one with Function.from_function_arn(…)"
        )
        if self.payload is not None:
            check_kind("payload", self.payload, Mapping, "a mapping")
            object.__setattr__(self, "payload", MappingProxyType(dict(self.payload)))
