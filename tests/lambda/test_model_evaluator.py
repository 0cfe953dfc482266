import io
import json
import math
import random
import tarfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm as normal
from scipy.stats import t as student_t
from sklearn.metrics import average_precision_score, roc_auc_score

EVALUATION = {
    "manifest_version": 1,
    "recipe": "linear",
    "threshold": 0.4,
    "metrics": {"auc": 0.93, "recall": 1},
    "posts": {"train": 8, "test": 2},
    "data_fingerprint": "sha256:00",
}


@pytest.fixture
def evaluator(load_function: Callable[[str], ModuleType]) -> ModuleType:
    return load_function("model_evaluator")


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name.replace("__", ".").replace("_in_", "/"))
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


@pytest.fixture
def evaluate(evaluator: ModuleType, aws: Any, bucket: str) -> Callable[[bytes], dict[str, Any]]:
    def run(output: bytes) -> dict[str, Any]:
        aws.client("s3").put_object(Bucket=bucket, Key="models/job/output/output.tar.gz", Body=output)
        result: dict[str, Any] = evaluator.handler(
            {"model_data": f"s3://{bucket}/models/job/output/model.tar.gz"}, None
        )
        return result

    return run


def test_returns_what_the_job_measured(evaluate: Callable[[bytes], dict[str, Any]]) -> None:
    result = evaluate(archive(plot__png=b"x" * 100_000, evaluation__json=json.dumps(EVALUATION).encode()))
    assert result["metrics"] == {"auc": 0.93, "recall": 1}
    assert result["data_fingerprint"] == "sha256:00"
    assert result["current_metrics"] is None


@pytest.mark.parametrize(
    ("mib", "workers", "fits"), [(3600, 1, True), (3700, 1, False), (1900, 2, True), (1900, 3, False)]
)
def test_refuses_a_machine_that_the_model_does_not_fit(
    evaluator: ModuleType, aws: Any, bucket: str, mib: int, workers: int, fits: bool
) -> None:
    measured = {**EVALUATION, "serving": {"mib": mib, "worker_mib": mib - 140}}
    output = archive(evaluation__json=json.dumps(measured).encode())
    aws.client("s3").put_object(Bucket=bucket, Key="models/job/output/output.tar.gz", Body=output)
    event = {
        "model_data": f"s3://{bucket}/models/job/output/model.tar.gz",
        "machines": [
            {"name": "ml.m5.large", "mib": 8192, "workers": workers},
            {"name": "ml.c6i.large", "mib": 4096, "workers": workers},
        ],
    }
    if fits:
        assert evaluator.handler(event, None)["serving"] == measured["serving"]
        return
    with pytest.raises(evaluator.TooLittleMemoryError) as refused:
        evaluator.handler(event, None)
    needed = mib + (workers - 1) * (mib - 140)
    assert str(refused.value).startswith(
        f"the model needs {needed} MiB to serve with {workers} workers, and ml.c6i.large has 4096, "
        "of which 3686 are available to it"
    )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("serving", [None, {}, {"mib": "9999", "worker_mib": 1}, [9999]])
def test_refuses_no_machine_where_nothing_was_measured(evaluator: ModuleType, serving: object) -> None:
    evaluator.refuse_too_little_memory(serving, [{"name": "ml.t2.medium", "mib": 1, "workers": 1}])


def test_takes_a_member_named_from_the_folder(evaluate: Callable[[bytes], dict[str, Any]]) -> None:
    result = evaluate(archive(**{"._in_evaluation__json": json.dumps(EVALUATION).encode()}))
    assert result["metrics"]["auc"] == 0.93


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (archive(other__json=b"{}"), "holds no evaluation.json: the training program writes it to output/data/"),
        (archive(folder_in_evaluation__json=b"{}"), "holds no evaluation.json"),
        (archive(evaluation__json=b"{"), "is not JSON"),
        (archive(evaluation__json=b"[]"), "has no metrics"),
        (archive(evaluation__json=b'{"metrics": {}}'), "has no metrics"),
        (
            archive(evaluation__json=b'{"metrics": {"auc": NaN}}'),
            r"metrics.auc in .* is not finite: it must be a",
        ),
        (archive(evaluation__json=b'{"metrics": {"auc": "0.9"}}'), r"metrics.auc in .* is a text of 3 characters"),
        (archive(evaluation__json=b" " * (1 << 20) + b"{}"), "has 1048578 bytes: 1048576 are allowed"),
        (b"no archive", "is no gzipped tar"),
        (archive(evaluation__json=b"x" * 5000)[:60], "is no gzipped tar"),
    ],
    # An archive as an id holds the second in which it was made, which differs between two workers.
    ids=[
        "no evaluation",
        "other file",
        "half JSON",
        "a list",
        "no metric",
        "NaN",
        "text",
        "too large",
        "text file",
        "cut",
    ],
)
def test_fails_when_there_is_nothing_to_judge(
    evaluator: ModuleType, evaluate: Callable[[bytes], dict[str, Any]], output: bytes, message: str
) -> None:
    with pytest.raises(evaluator.InvalidEvaluationError, match=message) as fault:
        evaluate(output)
    assert "\n" not in str(fault.value)


def test_fails_when_the_job_wrote_no_output(evaluator: ModuleType, bucket: str) -> None:
    with pytest.raises(evaluator.InvalidEvaluationError, match=r"models/job/output/output.tar.gz is not there"):
        evaluator.handler({"model_data": f"s3://{bucket}/models/job/output/model.tar.gz"}, None)


@pytest.mark.parametrize("uri", ["https://b/model.tar.gz", "s3:///model.tar.gz", "s3://b/models/model.zip", ""])
def test_fails_when_the_model_lies_elsewhere(evaluator: ModuleType, uri: str) -> None:
    with pytest.raises(evaluator.InvalidEvaluationError, match=r"it must be an S3 URI that ends in /model\.tar\.gz"):
        evaluator.output_location(uri)


@pytest.fixture
def compare(evaluator: ModuleType, aws: Any, bucket: str) -> Callable[..., dict[str, Any]]:
    """Runs the function with labelled posts, with what the current model said of them and perhaps what the new one."""

    def run(
        posts: str, scores: str, *, new: str | None = None, auc: float = 0.93, profile: bytes | None = None
    ) -> dict[str, Any]:
        s3 = aws.client("s3")
        evaluation = EVALUATION | {"metrics": {"auc": auc, "recall": 1}}
        members = {"evaluation__json": json.dumps(evaluation).encode()}
        members |= {} if profile is None else {"validation_profile__json": profile}
        output = archive(**members, **({} if new is None else {"held_out_scores__jsonl": new.encode()}))
        s3.put_object(Bucket=bucket, Key="models/job/output/output.tar.gz", Body=output)
        s3.put_object(Bucket=bucket, Key="runs/r/test/posts.jsonl", Body=posts.encode())
        s3.put_object(Bucket=bucket, Key="runs/r/current/posts.jsonl.out", Body=scores.encode())
        result: dict[str, Any] = evaluator.handler(
            {
                "model_data": f"s3://{bucket}/models/job/output/model.tar.gz",
                "test_uri": f"s3://{bucket}/runs/r/test/",
                "current_scores": f"s3://{bucket}/runs/r/current/posts.jsonl.out",
            },
            None,
        )
        return result

    return run


def posts_of(*labels: int) -> str:
    return "".join(json.dumps({"text": "a\u2028b", "label": label}, ensure_ascii=False) + "\n" for label in labels)


def scores_of(*scores: str) -> str:
    return "\n\n".join(json.dumps({"predictions": score}) for score in scores)


def test_judges_the_current_model_on_the_held_out_posts(compare: Callable[[str, str], dict[str, Any]]) -> None:
    result = compare(posts_of(1, 0, 1, 0), scores_of("0.9", "0.7", "0.7", "1e-05"))
    assert result["metrics"] == EVALUATION["metrics"]
    assert result["current_metrics"] == {"auc": 0.875, "average_precision": pytest.approx(0.5 + 0.5 * 2 / 3)}


def test_says_how_sure_the_comparison_is(compare: Callable[..., dict[str, Any]]) -> None:
    labels = [1, 1, 1, 1, 0, 0, 0, 0]
    new, current = [0.9, 0.8, 0.4, 0.7, 0.5, 0.1, 0.2, 0.3], [0.9, 0.8, 0.6, 0.7, 0.5, 0.1, 0.2, 0.3]
    found = compare(posts_of(*labels), scores_of(*map(str, current)), new=scores_of(*map(str, new)), auc=0.9375)
    comparison = found["comparison"]
    assert (comparison["confidence"], comparison["posts"], comparison["violations"]) == (0.95, 8, 4)
    assert comparison["auc"]["value"] == 0.9375
    assert 0.5 < comparison["auc"]["low"] < 0.9375 < comparison["auc"]["high"] < 1
    # One violation of four and one of four others have the drop alone: DeLong's variance of it is 1/256 + 1/256.
    drop = comparison["auc_drop"]
    assert drop["value"] == 0.0625
    assert drop["high"] - drop["value"] == pytest.approx(drop["value"] - drop["low"])
    assert drop["value"] - drop["low"] == pytest.approx(2.353 * math.sqrt(2 / 256), rel=5e-3)


def test_hands_on_what_the_validation_posts_were_like(compare: Callable[..., dict[str, Any]]) -> None:
    profile = {"score": {"fine": [7, 0], "violation": [0, 2]}, "length": {"fine": [], "violation": [1]}}
    given = (posts_of(1, 0), scores_of("0.9", "0.1"))
    assert compare(*given, profile=json.dumps(profile).encode())["validation"] == profile
    # An image of a team's own may write none.
    assert compare(*given)["validation"] == {}


@pytest.mark.parametrize(
    "profile",
    [
        b"\xff",
        b"[]",
        b"[" * 30_000,
        b'{"score": []}',
        b'{"score": {"fine": [1]}}',
        b'{"score": {"fine": [1], "violation": ["a post"]}}',
        b'{"score": {"fine": [true], "violation": [1]}}',
        b'{"score": {"fine": [-1], "violation": [1]}}',
        b'{"score": {"fine": [1.5], "violation": [1]}}',
        json.dumps({"score": {"fine": [1] * 101, "violation": []}}).encode(),
        b" " * 40_000 + b"{}",
    ],
)
def test_fails_when_the_profile_is_none(
    compare: Callable[..., dict[str, Any]], evaluator: ModuleType, profile: bytes
) -> None:
    with pytest.raises(
        evaluator.InvalidEvaluationError, match=r"validation_profile\.json in s3://.* is no profile: "
    ) as fault:
        compare(posts_of(1, 0), scores_of("0.9", "0.1"), profile=profile)
    assert "a post" not in str(fault.value)


@pytest.mark.parametrize("new", [None, scores_of("0.9"), scores_of("0.1", "0.9")], ids=["none", "fewer", "order"])
def test_says_nothing_of_scores_of_other_posts(compare: Callable[..., dict[str, Any]], new: str | None) -> None:
    result = compare(posts_of(1, 0), scores_of("0.9", "0.1"), new=new, auc=1.0)
    assert result["comparison"] == {}
    assert result["current_metrics"]["auc"] == 1


def test_fails_when_training_wrote_something_else_for_scores(
    evaluator: ModuleType, compare: Callable[..., dict[str, Any]]
) -> None:
    with pytest.raises(evaluator.InvalidScoresError, match=r"held_out_scores.jsonl in s3://.*, line 2: predictions is"):
        compare(posts_of(1, 0), scores_of("0.9", "0.1"), new='{"predictions": "0.9"}\n{"text": "x"}\n')


def test_a_drop_has_the_variance_of_delong(evaluator: ModuleType) -> None:
    """As the definition has it: covariances over all pairs."""
    chance = np.random.default_rng(5)
    for _ in range(20):
        labels = np.array([1, 1, 0, 0, *(chance.random(60) < 0.3)], dtype=int)
        # Of few values, so that many are equal.
        both = [chance.integers(0, 8, len(labels)) + 3 * labels for _ in range(2)]
        components = []
        for scores in both:
            pairs = np.subtract.outer(scores[labels == 1], scores[labels == 0])
            won = (pairs > 0) + (pairs == 0) / 2
            components.append((won.mean(axis=1), won.mean(axis=0)))
        (current_1, current_0), (new_1, new_0) = components
        variance = np.var(current_1 - new_1, ddof=1) / len(new_1) + np.var(current_0 - new_0, ddof=1) / len(new_0)
        current, new = (evaluator.shares(labels.tolist(), scores.tolist()) for scores in both)
        drop = evaluator.drop_interval(current, new)
        assert drop.value == pytest.approx(roc_auc_score(labels, both[0]) - roc_auc_score(labels, both[1]))
        quantile = student_t.ppf(0.95, min(len(new_1), len(new_0)) - 1)
        assert drop.value - drop.low == pytest.approx(quantile * math.sqrt(variance), rel=0.15)


def quantile_of(freedom: int) -> float:
    """Student's t at 95 %, to three terms: Abramowitz and Stegun 26.7.5."""
    z = normal.ppf(0.95)
    terms = ([1, 0, 1, 0], 4), ([5, 0, 16, 0, 3, 0], 96), ([3, 0, 19, 0, 17, 0, -15, 0], 384)
    return float(z + sum(np.polyval(of, z) / by / freedom**power for power, (of, by) in enumerate(terms, start=1)))


def scored(evaluator: ModuleType, violations: int, others: int, seed: int) -> Any:
    chance = np.random.default_rng(seed)
    labels = [1] * violations + [0] * others
    return evaluator.shares(labels, (chance.integers(0, 9, len(labels)) + 3 * np.array(labels)).tolist())


@pytest.mark.parametrize(("violations", "others"), [(2, 30), (3, 12), (25, 4), (25, 60)])
def test_intervals_are_wilsons_and_students_of_the_fewest_posts(
    evaluator: ModuleType, violations: int, others: int
) -> None:
    new, current = (scored(evaluator, violations, others, seed) for seed in (1, 2))
    quantile = quantile_of(min(violations, others) - 1)
    variance = np.var(new.violations, ddof=1) / violations + np.var(new.others, ddof=1) / others
    found = evaluator.area_interval(new)
    # Wilson: those shares from which the area is as far off as their own variance allows.
    for bound in (found.low, found.high):
        allowed = quantile**2 * variance * bound * (1 - bound) / (found.value * (1 - found.value))
        assert (found.value - bound) ** 2 == pytest.approx(allowed)
    assert 0 < found.low < found.value < found.high < 1
    drop = evaluator.drop_interval(current, new)
    pairs = (current.violations, new.violations), (current.others, new.others)
    error = math.sqrt(sum(np.var(np.subtract(*both), ddof=1) / len(both[0]) for both in pairs))
    assert (drop.low, drop.high) == pytest.approx((drop.value - quantile * error, drop.value + quantile * error))


def test_of_equal_scores_half_count_for_either_kind_of_post(evaluator: ModuleType) -> None:
    found = evaluator.shares([1, 0, 1, 0], [0.7, 0.7, 0.9, 0.1])
    assert (found.violations, found.others) == ([0.75, 1], [0.75, 1])


def test_of_one_violation_nothing_is_known(evaluator: ModuleType) -> None:
    new, current = (scored(evaluator, 1, 20, seed) for seed in (1, 2))
    interval, drop = evaluator.area_interval(new), evaluator.drop_interval(current, new)
    assert (interval.value, interval.low, interval.high) == (new.area, 0, 1)
    assert (drop.value, drop.low, drop.high) == (current.area - new.area, -1, 1)


def refusals(evaluator: ModuleType, violations: int, fall: float, runs: int = 400) -> tuple[float, float]:
    """How often the gate refuses a model whose true AUC is lower by `fall`: as it is, and by the point estimate alone.

    Scores of both are normal and correlate by 0.8; the current AUC is 0.85; a sixth of the posts are violations.
    """
    chance = np.random.default_rng(violations)
    labels = [1] * violations + [0] * (5 * violations)
    refused = by_point = 0
    for _ in range(runs):
        common, *own = chance.standard_normal((3, len(labels)))
        current, new = (math.sqrt(0.8) * common + math.sqrt(0.2) * one for one in own)
        current[:violations] += normal.ppf(0.85) * math.sqrt(2)
        new[:violations] += normal.ppf(0.85 - fall) * math.sqrt(2)
        drop = evaluator.drop_interval(
            evaluator.shares(labels, current.tolist()), evaluator.shares(labels, new.tolist())
        )
        refused += drop.value > 0.01 and drop.low > 0
        by_point += drop.value > 0.01
    return refused / runs, by_point / runs


@pytest.mark.parametrize("violations", [20, 33])
def test_of_two_equal_models_the_second_is_seldom_refused(evaluator: ModuleType, violations: int) -> None:
    refused, by_point = refusals(evaluator, violations, 0.0)
    assert refused <= 0.07  # 5 % and what 400 runs make of it
    assert by_point > 0.25  # as it was


def test_a_model_that_is_worse_is_refused_the_more_posts_the_surer(evaluator: ModuleType) -> None:
    found = [refusals(evaluator, 33, fall, 200)[0] for fall in (0.03, 0.05, 0.1)]
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.9
    assert refusals(evaluator, 150, 0.05, 100)[0] > 0.9


def test_chance_is_not_shown_to_be_better_than_chance(evaluator: ModuleType) -> None:
    """Perfect on four violations may be chance; on five it is not. One alone says nothing."""
    lows = {}
    for violations in (1, 2, 4, 5, 20):
        labels = [1] * violations + [0] * 100
        interval = evaluator.area_interval(evaluator.shares(labels, [float(label) for label in labels]))
        assert (interval.value, interval.high) == (1, 1)
        lows[violations] = interval.low
    assert lows[1] == 0 < lows[2] < lows[4]
    assert lows[4] < 0.5 < lows[5] < lows[20]


@pytest.mark.parametrize("distinct_scores", [1, 2, 7, 1_000_000])
def test_metrics_are_those_of_scikit_learn(evaluator: ModuleType, distinct_scores: int) -> None:
    chance = random.Random(distinct_scores)
    for _ in range(60):
        labels = [0, 1] + [int(chance.random() < 0.2) for _ in range(chance.randint(0, 200))]
        chance.shuffle(labels)
        scores = [chance.randrange(distinct_scores) / distinct_scores for _ in labels]
        assert evaluator.shares(labels, scores).area == pytest.approx(roc_auc_score(labels, scores))
        assert evaluator.average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


@pytest.mark.parametrize(
    ("posts", "scores", "message"),
    [
        (posts_of(1, 0, 1), scores_of("0.9", "0.1"), r"posts.jsonl.out holds 2 predictions for 3 held-out posts"),
        (posts_of(1, 0), "", r"holds 0 predictions for 2 held-out posts"),
        (posts_of(0, 0), scores_of("0.9", "0.1"), r"holds 0 violations in 2 posts: both kinds are needed"),
        (
            posts_of(1, 0),
            scores_of("0.9", "nan"),
            r"line 3: predictions is a text of 3 characters: it must be",
        ),
        (posts_of(1, 0), scores_of("0.9", "high"), r"line 3: predictions is a text of 4 characters"),
        (posts_of(1, 0), '{"predictions": 0.9}\n{"error": "no"}', r"line 1: predictions is another number"),
        (posts_of(1, 0), "<html>\n", r"line 1: predictions is missing"),
        (
            posts_of(1) + '{"text": "x", "label": "0"}',
            scores_of("0.9", "0.1"),
            r"line 2: label is a text of 1",
        ),
    ],
    ids=["fewer", "none", "one kind", "NaN", "word", "number", "no JSON", "label"],
)
def test_fails_when_the_current_model_cannot_be_judged(
    evaluator: ModuleType, compare: Callable[[str, str], dict[str, Any]], posts: str, scores: str, message: str
) -> None:
    with pytest.raises(evaluator.InvalidScoresError, match=message) as fault:
        compare(posts, scores)
    assert "\n" not in str(fault.value)


def test_fails_when_the_scores_are_not_there(evaluator: ModuleType, aws: Any, bucket: str) -> None:
    with pytest.raises(evaluator.InvalidScoresError, match=r"runs/r/current/posts.jsonl.out is not there"):
        list(evaluator._lines(aws.client("s3"), f"s3://{bucket}/runs/r/current/posts.jsonl.out"))
