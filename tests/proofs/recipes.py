"""Whether each recipe of the training goes the whole way: from posts to a release that answers the ML API."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cdk_rehearsal.rehearsal import Rehearsal
from moderation_rehearsal.rehearsed_recipe import Recipe, make_encoder, python_of
from moderation_rehearsal.story import ModerationStory
from tests.proofs.proof import PROJECT, ProofError, Suite
from tests.proofs.rehearsed import rehearsed

_POSTS: dict[Recipe, int] = {"linear": 1200, "bert": 1200, "student": 2000}
"""A student needs 1,000 to learn from; a quarter is for the test and a fifth of the rest for validation."""
_LABELLED, _TESTED = 800, 80
_TESTS = PROJECT / "tests" / "container" / "inference"
_JUDGES = [_TESTS / f"test_{name}.py" for name in ("http_contract", "hostile_texts", "marked_post")]
_STEPS = ("start", "bootstrap", "deploy", "upload", "release", "endpoint", "api", "moderate", "permissions", "destroy")


def released(recipe: Recipe, folder: Path) -> str:
    """Deploys the reference system with this recipe, releases a model and moderates posts by it."""
    story = ModerationStory(posts=_POSTS[recipe], held_out=40, recipe=recipe, releases="first")
    with rehearsed(folder, functools.partial(Rehearsal, story=story)) as rehearsal:
        rehearsal.walk(*_STEPS[:-2])
        manifest = _manifest(folder)
        rehearsal.walk(*_STEPS[-2:])
    if manifest["recipe"] != recipe:
        raise ProofError(f"the manifest says recipe {manifest['recipe']}, needed {recipe}")
    report = story.report
    serves = "; ".join(
        f"{part}: {manifest[part]['serves']} serves, {manifest[part]['reason']}"
        for part in ("student", "cascade")
        if part in manifest
    )
    return (
        f"AUC {manifest['metrics']['auc']:.3f} of {manifest['posts']['test']} posts, {report.posts_sent} moderated, "
        f"{report.agreement_with_labels:.0%} as labelled, p50 {report.latency_p50_ms} ms, "
        f"{manifest['serving']['mib']} MiB to serve{f'; {serves}' if serves else ''}"
    )


def _manifest(folder: Path) -> dict[str, Any]:
    """The newest evaluation that a training left behind, which is its manifest."""
    found = sorted((folder / "aws").rglob("evaluation.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ProofError("the training left no evaluation.json")
    manifest: dict[str, Any] = json.loads(found[-1].read_text(encoding="utf-8"))
    return manifest


def attacked(recipe: Recipe, cascade: str, folder: Path) -> str:
    """Trains a model of few posts, and has the inference image's tests of contract and hostile input judge it."""
    job = folder / "job"
    shutil.rmtree(job, ignore_errors=True)
    texts = {
        channel: [
            (f"夜泣きで悩んでいます。{number}ヶ月です", 0) if number % 4 else (f"副業で{number}万円、LINEを追加して", 1)
            for number in range(count)
        ]
        for channel, count in (("train", _LABELLED), ("test", _TESTED))
    }
    for channel, posts in texts.items():
        _write(job, channel, [{"text": text, "label": label} for text, label in posts])
    settings = {"recipe": recipe, "seed": "1", "cascade": cascade, "max_length": "64", "learning_rate": "0.001"}
    if recipe == "student":
        _write(job, "unlabelled", [{"text": f"{text}。{text}"} for text, _ in texts["train"]])
        settings |= {"student_epochs": "4", "student_learning_rate": "0.001"}
    encoder = folder / "encoder"
    encoder.mkdir(exist_ok=True)
    make_encoder(recipe, encoder, [text for posts in texts.values() for text, _ in posts], log=folder / "encoder.log")
    config = job / "input" / "config" / "hyperparameters.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({**settings, "pretrained_model": str(encoder)}), encoding="utf-8")
    with (folder / "training.txt").open("w", encoding="utf-8") as output:
        trained = subprocess.run(
            [python_of(recipe), PROJECT / "container" / "training" / "train.py", "train"],
            env={**os.environ, "SAGEMAKER_BASE_DIR": str(job), "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if trained.returncode:
        raise ProofError(f"the training ended with {trained.returncode}: {folder / 'training.txt'}")
    manifest = json.loads((job / "model" / "manifest.json").read_text(encoding="utf-8"))
    serves = {part: manifest[part]["serves"] for part in ("student", "cascade") if part in manifest}
    wanted = {"cascade": "cascade" if cascade == "auto" else "network"}
    wanted |= {"student": "student"} if recipe == "student" else {}
    if serves != wanted:
        reasons = "; ".join(str(manifest[part]["reason"]) for part in serves)
        raise ProofError(f"what serves is {serves}, needed {wanted}: {reasons}")
    judged = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_JUDGES],
        cwd=PROJECT,
        env={**os.environ, "TRAINED_JOB": str(job)},
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "tests.txt").write_text(judged.stdout + judged.stderr, encoding="utf-8")
    last = judged.stdout.strip().splitlines()[-1] if judged.stdout.strip() else judged.stderr[-200:]
    if judged.returncode:
        raise ProofError(f"{last}: {folder / 'tests.txt'}")
    return f"{last.partition(' in ')[0]} of contract, fuzzed bodies and hostile texts"


def _write(job: Path, channel: str, posts: Sequence[Mapping[str, object]]) -> None:
    folder = job / "input" / "data" / channel
    folder.mkdir(parents=True)
    (folder / "posts.jsonl").write_text("".join(f"{json.dumps(post)}\n" for post in posts), encoding="utf-8")


_RECIPES: tuple[Recipe, ...] = ("linear", "bert", "student")
_CASES: dict[str, Callable[[Path], str]] = {
    **{f"release of {recipe}": functools.partial(released, recipe) for recipe in _RECIPES},
    # The gate's tests judge `linear`.
    "attacks on bert": functools.partial(attacked, "bert", "off"),
    "attacks on a cascade": functools.partial(attacked, "bert", "auto"),
    "attacks on student": functools.partial(attacked, "student", "off"),
    "attacks on a cascade with a student": functools.partial(attacked, "student", "auto"),
}

RECIPES = Suite(
    name="recipes",
    question="Does each recipe go the whole way, from posts to a release that answers the ML API, and does what it "
    "serves keep the contract whatever a client sends? `bert` and `student` start from a tiny encoder that has learnt "
    "nothing, so that their AUC says that something was learnt and no more. They need `make bert-environment`.",
    cases=_CASES,
    # The gate's rehearsal releases `linear`, and its tests train the others.
    samples={},
)
