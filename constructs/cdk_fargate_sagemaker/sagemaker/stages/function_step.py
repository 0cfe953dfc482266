"""A stage of the release workflow that is a Lambda function of the team's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from aws_cdk import aws_stepfunctions as sfn

from ..._checks import check_interface, check_kind, refusal
from ..._interfaces import AnyFunction
from ..configuration._serving_machines import serving_machines
from .release_binding import ReleaseBinding
from .release_stage import ReleaseStage, moved_posts

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_RESULT = "$states.result.Payload"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStep(ReleaseStage):
    """A stage of a release that is a Lambda function of the team's own; an exception in it ends the release.

    Its input and output depend on its place; the URI of a folder ends with a slash:

    - `source`: given `bucket` and `run_prefix` (`runs/<execution>/`); returns
      `{"train": {"uri"}, "test": {"uri", "texts_uri"}}`. Whatever else it returns is recorded with the release.
    - `preprocess`: given `posts` (what extraction returned), `bucket` and `run_prefix`; returns
      `{"train": {"uri"}, "test": {"uri"}}`.
    - `ModelEvaluation(measure=…)`: given `model_data`, `test_uri` (the held-out posts), `current_scores` (a URI, or
      null) and `machines` (`name`, `mib` and `workers` of each that is to serve); returns
      `{"metrics": {"auc": 0.93, …}, "current_metrics": {…} or null}`, optionally with confidence intervals:
      `{"comparison": {"confidence": 0.95, "violations": 33, "auc": {"value": …, "low": …, "high": …},
      "auc_drop": {…}}}`; for a metric that should be small, `rmse_rise`. With `validation`, counts of the validation
      posts in bins, `ModelDrift` compares what is served: `{"score": {"fine": [0, 7, …], "violation": […]}, …}`.
    - `check`: given `endpoint_name`, `model`, `posts` (the URI of the held-out posts) and `model_data`; its result is
      ignored.

    The current model scores the posts at `test.texts_uri` (`posts.jsonl`, lines of `{"text": …}`), in the order of
    those at `test.uri`. Without it there are no such scores, and a gate that compares refuses.

    Args:
        function: invoked synchronously. It needs permissions of its own for what it reads and writes.
        payload: another input for the function. A text of the form `{% … %}` is JSONata over the workflow's variables:
            `$release`, `$posts`, `$held_out`, `$model_data`, `$metrics`, `$current`. Default: what is listed above.
        name: the state's name, where several functions follow each other: 1 to 80 letters, digits, hyphens and
            underscores. Default: that of the place: `Extract`, `Preprocess`, `Evaluate`, `Check`.

    Raises:
        InvalidArgumentError: no function, a payload that is not a mapping, or an invalid name.

    Example:
        ```python
        check = FunctionStep(
            function=lambda_.Function.from_function_name(self, "SmokeTest", "smoke-test"),
            payload={"endpoint": "spam-filter", "release": "{% $release %}"},
        )
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("source", "preprocess", "check")

    function: AnyFunction
    payload: Mapping[str, object] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        check_interface(
            "function", self.function, "function_arn", "an IFunction", "import one with Function.from_function_arn(…)"
        )
        if self.payload is not None:
            check_kind("payload", self.payload, Mapping, "a mapping")
            object.__setattr__(self, "payload", MappingProxyType(dict(self.payload)))
        if self.name is not None:
            check_kind("name", self.name, str, "text")
            if not _NAME.fullmatch(self.name):
                raise refusal("name", self.name, "1 to 80 letters, digits, hyphens and underscores")

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Invokes the function with the input of its place, and keeps its result."""
        given, assigned = _contract(release)
        step = release.function(
            self.name or release.state_name,
            self.function,
            dict(self.payload) if self.payload is not None else given,
            assign=assigned,
        )
        step.next(then)
        return step


def _contract(release: ReleaseBinding) -> tuple[dict[str, object], dict[str, object] | None]:
    """The default input of a function in this place, and the parts of its answer that are kept."""
    run: dict[str, object] = {
        "bucket": release.data_bucket.bucket_name,
        "run_prefix": f"{{% {release.run_prefix} %}}",
    }
    match release.slot:
        case "source":
            return run, {"posts": f"{{% {_RESULT} %}}", "held_out": f"{{% {_RESULT}.test.uri %}}"}
        case "preprocess":
            moved = moved_posts(train=f"{_RESULT}.train.uri", test=f"{_RESULT}.test.uri")
            return {"posts": "{% $posts %}", **run}, {"posts": moved}
        case "evaluate":
            return {
                "model_data": "{% $model_data %}",
                "test_uri": "{% $held_out %}",
                "current_scores": "{% $current_scores %}",
                "machines": serving_machines(release.configuration, release.inference_environment),
            }, {
                "metrics": f"{{% {_RESULT}.metrics %}}",
                "current_metrics": f"{{% {_or_else('current_metrics', 'null')} %}}",
                "comparison": f"{{% {_or_else('comparison', '{}')} %}}",
                "validation": f"{{% {_or_else('validation', '{}')} %}}",
            }
        case _:
            return {
                "endpoint_name": release.endpoint_name,
                "model": "{% $release %}",
                "posts": "{% $held_out & 'posts.jsonl' %}",
                "model_data": "{% $model_data %}",
            }, None


def _or_else(field: str, otherwise: str) -> str:
    return f"$exists({_RESULT}.{field}) ? {_RESULT}.{field} : {otherwise}"
