"""The recipe that a rehearsal trains with."""

import os
import sys

import pytest

from cdk_rehearsal.step_failure import InvalidInputError
from moderation_rehearsal.rehearsed_recipe import RehearsedRecipe


def test_linear_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BERT_PYTHON", raising=False)
    recipe = RehearsedRecipe("linear")
    assert recipe.context == ("model.recipe=linear",)
    assert not recipe.is_tiny


def test_others_ask_little_of_what_a_tiny_encoder_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERT_PYTHON", sys.executable)
    assert RehearsedRecipe("student").context == ("model.recipe=student", "model.minimum_auc=0.5")
    assert RehearsedRecipe("bert").is_tiny


@pytest.mark.parametrize("python", [None, "", "/nowhere/python", os.devnull])
def test_fails_when_there_is_no_python_to_train_with(monkeypatch: pytest.MonkeyPatch, python: str | None) -> None:
    monkeypatch.delenv("BERT_PYTHON", raising=False)
    if python is not None:
        monkeypatch.setenv("BERT_PYTHON", python)
    with pytest.raises(
        InvalidInputError, match=r"--recipe: got 'bert', which needs BERT_PYTHON, .* run `make bert-env"
    ):
        RehearsedRecipe("bert")
