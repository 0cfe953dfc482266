"""The base class of every stage of a release."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from aws_cdk import aws_stepfunctions as sfn

from ..._checks import refusal
from .release_binding import SLOTS, ReleaseBinding


class ReleaseStage(ABC):
    """One stage of a release: it adds its states, with their permissions and resources, to the workflow it binds to.

    The library's stages derive from this class, and so do a team's own. `slots` names the places that a stage can take:
    `source`, `preprocess`, `train`, `evaluate`, `score_current`, `check`, the arguments of `ModelReleaseWorkflow` and
    `ModelEvaluation`. A stage hands over its results as variables of the state machine. Each slot must assign:

    - `source`: `posts`, `{"train": {"uri"}, "test": {"uri", "texts_uri"}}`, and `held_out`, the URI of the posts to
      test with as they were extracted. The URI of a folder ends in a slash.
    - `preprocess`: `posts`, if it moved them; a stage that only reads them assigns nothing.
    - `train`: `model_data`, the URI of a `model.tar.gz` below `runs/*/trained/`.
    - `score_current`: `current_scores`, the URI of the current model's scores.
    - `evaluate`: `metrics`, `current_metrics` and `comparison`; it refuses a model that must not serve.
    - `check`: nothing.

    Beside these, `release` (the name of what the execution makes), `current` (the record of the release that serves, or
    null) and `started_by` are there from the beginning.

    Example:
        ```python
        class EnoughRows(ReleaseStage):
            slots = ("preprocess",)

            def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
                enough = release.choice("Enough-Rows")
                release.refuse_when(
                    enough, "$posts.train.posts < 500", error="TooFewRows", cause="'too few rows'"
                )
                enough.otherwise(then)
                return enough
        ```
    """

    __slots__ = ()

    slots: ClassVar[tuple[str, ...]] = SLOTS
    """The slots that the stage can take."""

    @abstractmethod
    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Creates the stage's states in the workflow `release`; the last one continues with `then`.

        It is called once, when the workflow is created, from the last stage to the first.

        Args:
            release: creates states, and grants the workflow's role the calls that they make.
            then: the first state of what comes next.

        Returns:
            The stage's first state.
        """


_OF_THE_LIBRARY = {
    "source": "LabelledData, AthenaUnload, DynamoDbExport, FunctionStep",
    "preprocess": "ProcessingJob, FunctionStep",
    "train": "TrainingJob",
    "evaluate": "ModelEvaluation",
    "score_current": "TransformJob",
    "check": "EndpointCheck, FunctionStep",
}
# What to write if an object was given that is not a stage, by the slot and an attribute that identifies the object.
_WITHIN = {
    ("source", "table_arn"): "DynamoDbExport(table=…)",
    ("source", "bucket_arn"): "LabelledData('posts/'), which are in data_bucket",
    ("preprocess", "bind"): "ProcessingJob(image=…)",
    ("train", "bind"): "TrainingJob(image=…)",
    ("evaluate", "judge"): "ModelEvaluation(gate=…)",
    ("evaluate", "payload"): "ModelEvaluation(measure=…)",
}


def check_stage(slot: str, stage: Any) -> None:
    """Refuses a value that is neither a stage for `slot` nor None.

    Raises:
        InvalidArgumentError: see above.
    """
    if stage is None or (isinstance(stage, ReleaseStage) and slot in stage.slots):
        return
    function_fits = "FunctionStep" in _OF_THE_LIBRARY[slot] and hasattr(stage, "function_arn")
    remedy = "FunctionStep(function=…)" if function_fits else None
    if remedy is None and (not isinstance(stage, ReleaseStage) or hasattr(stage, "payload")):
        remedy = next((way for (of, known), way in _WITHIN.items() if of == slot and hasattr(stage, known)), None)
    raise refusal(
        slot,
        stage,
        f"{_OF_THE_LIBRARY[slot]}, a ReleaseStage of your own for this place, or None",
        f"give {slot}={remedy}" if remedy else None,
    )


def moved_posts(*, train: str, test: str) -> str:
    """Returns the new value of `posts` after preprocessing wrote them to these URIs, which are JSONata expressions."""
    return (
        f"{{% $merge([$posts, {{'train': $merge([$posts.train, {{'uri': {train}}}]), "
        f"'test': $merge([$posts.test, {{'uri': {test}}}])}}]) %}}"
    )
