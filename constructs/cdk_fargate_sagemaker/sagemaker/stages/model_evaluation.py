"""How a new model is evaluated."""

from dataclasses import dataclass, field
from typing import ClassVar

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn

from ..._checks import check_kind, refusal
from ..._packaged_function import PackagedFunction
from ._data_access import allow_bucket_key, allow_reading
from .evaluation_gate import EvaluationGate
from .function_step import FunctionStep
from .release_binding import ReleaseBinding
from .release_stage import ReleaseStage, check_stage
from .transform_job import TransformJob


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvaluation(ReleaseStage):
    """Measures the new model, and the current one on the same held-out posts, and refuses a model that fails the gate.

    Args:
        measure: a function of the team's own that measures. Default: the metrics that training wrote, and those of the
            current model, whose answers are compared with the labels.
        score_current: how the current model scores the held-out posts, if the gate compares. None: it does not;
            `measure` must then know the current model's metrics. Default: a `TransformJob()`.
        gate: what the new model must reach to serve. None lets every model pass. Default: an AUC of 0.8, of which it
            may lose 0.01 against the current model.

    Raises:
        InvalidArgumentError: a part of another kind, or a gate that compares with a model that is not scored.

    Example:
        ```python
        evaluation = ModelEvaluation(gate=EvaluationGate(at_least={"auc": 0.85, "recall": 0.7}))
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("evaluate",)

    measure: FunctionStep | None = None
    score_current: ReleaseStage | None = field(default_factory=TransformJob)
    gate: EvaluationGate | None = field(
        default_factory=lambda: EvaluationGate(at_least={"auc": 0.8}, may_worsen={"auc": 0.01})
    )

    def __post_init__(self) -> None:
        if self.measure is not None:
            remedy = "give measure=FunctionStep(function=…)" if hasattr(self.measure, "function_arn") else None
            check_kind("measure", self.measure, FunctionStep, "a FunctionStep or None", remedy)
        check_stage("score_current", self.score_current)
        if self.gate is not None:
            check_kind("gate", self.gate, EvaluationGate, "an EvaluationGate or None")
        if self.gate is not None and self.gate.may_worsen and self.measure is None and self.score_current is None:
            raise refusal(
                "score_current",
                None,
                "a TransformJob where the gate compares",
                "leave may_worsen out of the gate, or give measure=FunctionStep(…), which knows the current model",
            )

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Scores the current model if the gate compares, measures both models, and applies the gate."""
        if self.gate is not None:
            then = self.gate.judge(release, then)
        measure = self.measure or FunctionStep(function=self._evaluator(release).function)
        first = measure.bind(release, then)
        if self.gate is not None and self.gate.may_worsen and self.score_current is not None:
            first = self.score_current.bind(release.in_slot("score_current"), first)
        return first

    def _evaluator(self, release: ReleaseBinding) -> PackagedFunction:
        evaluator = PackagedFunction(
            release.scope,
            "Evaluator",
            name="model_evaluator",
            description=f"Reads the metrics of a new model of {release.endpoint_name}, and measures the current one",
            timeout=Duration.minutes(5),
            log_encryption_key=release.encryption_key,
        )
        # A model that was trained elsewhere is below models/, with its output beside it.
        allow_reading(evaluator.role, release.data_bucket, *([] if release.trains else ["models/*"]), "runs/*")
        allow_bucket_key(evaluator.role, release.data_bucket)
        return evaluator
