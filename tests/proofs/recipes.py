"""Whether each recipe of the training goes the whole way: from posts to a release that answers the ML API."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from cdk_rehearsal.display import Display
from cdk_rehearsal.rehearsal import Rehearsal, RehearsalSettings
from moderation_rehearsal.rehearsed_recipe import Recipe
from moderation_rehearsal.story import ModerationStory
from tests.proofs.proof import PROJECT, Suite

_POSTS: dict[Recipe, int] = {"linear": 1200, "bert": 1200, "student": 2000}
"""A student needs 1,000 to learn from; a quarter is for the test and a fifth of the rest for validation."""
_STEPS = ("start", "bootstrap", "deploy", "upload", "release", "endpoint", "api", "moderate", "permissions", "destroy")


class ProofError(Exception):
    """What was to be proved is not so."""


def released(recipe: Recipe, folder: Path) -> str:
    """Deploys the reference system with this recipe, releases a model and moderates posts by it."""
    story = ModerationStory(posts=_POSTS[recipe], held_out=40, recipe=recipe, releases="first")
    settings = RehearsalSettings(app_folder=PROJECT, environment="dev", engine="process", work_folder=folder)
    with (folder / "output.txt").open("w", encoding="utf-8") as output:
        rehearsal = Rehearsal(settings, Display(Console(file=output, highlight=False)), story)
        try:
            rehearsal.walk(*_STEPS[:-2])
            manifest = _manifest(folder)
            rehearsal.walk(*_STEPS[-2:])
        finally:
            rehearsal.stop()
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


_RECIPES: tuple[Recipe, ...] = ("linear", "bert", "student")
_CASES: dict[str, Callable[[Path], str]] = {recipe: functools.partial(released, recipe) for recipe in _RECIPES}

RECIPES = Suite(
    name="recipes",
    question="Does each recipe go the whole way, from posts to a release that answers the ML API? `bert` and `student` "
    "start from a tiny encoder that has learnt nothing, so that their AUC says that something was learnt and no more. "
    "They need `make bert-environment`.",
    cases=_CASES,
    # The gate's rehearsal releases `linear`, and its tests train the others.
    samples={},
)
