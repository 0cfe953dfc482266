from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recipe": "forest"}, "hyperparameter recipe: got 'forest'; allowed is linear or bert or student"),
        ({"sede": "1"}, "hyperparameter 'sede': unknown to recipe 'linear'; allowed are recipe, seed"),
        ({"epochs": "2"}, "hyperparameter 'epochs': unknown to recipe 'linear'"),
        ({"seed": "one"}, "hyperparameter seed: got 'one'; allowed is a whole number from 0 to 4294967295"),
        ({"seed": 1}, "hyperparameter seed: got 1; SageMaker passes strings"),
        (
            {"recipe": "bert", "learning_rate": "nan"},
            "hyperparameter learning_rate: got 'nan'; allowed is a number above 0",
        ),
        (
            {"recipe": "bert", "max_length": "513"},
            "hyperparameter max_length: got '513'; allowed is a whole number from 8 to 512",
        ),
        ({"recipe": "bert", "precision": "int8"}, "hyperparameter precision: got 'int8'; allowed is auto or fp32"),
        (
            {"recipe": "bert", "mixed_precision": "fp16"},
            "hyperparameter mixed_precision: got 'fp16'; allowed is auto or bf16 or off",
        ),
        (
            {"recipe": "bert", "checkpoint_steps": "0"},
            "hyperparameter checkpoint_steps: got '0'; allowed is a whole number from 1 to 1000000",
        ),
        ({"recipe": "bert", "student_layers": "4"}, "hyperparameter 'student_layers': unknown to recipe 'bert'"),
        (
            {"recipe": "student", "student_layers": "7"},
            "hyperparameter student_layers: got '7'; allowed is a whole number from 4 to 6",
        ),
        (
            {"recipe": "student", "student_width": "312"},
            "hyperparameter student_width: got '312'; allowed is a multiple of 32 from 256 to 384",
        ),
        (
            {"recipe": "student", "student_epochs": "1.5"},
            "hyperparameter student_epochs: got '1.5'; allowed is a whole number from 1 to 1000",
        ),
        ({"recipe": "student", "student_learning_rate": "0"}, "got '0'; allowed is a number above 0, at most 1"),
        ({"recipe": "bert", "reduce_range": "1"}, "hyperparameter reduce_range: got '1'; allowed is true or false"),
    ],
)
def test_fails_when_a_hyperparameter_is_not_allowed(load: Load, given: dict[str, object], said: str) -> None:
    with pytest.raises(load("refusal").RefusalError) as refused:
        load("hyperparameters").parse_hyperparameters(given)
    assert said in str(refused.value)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_fails_when_the_file_is_no_object(tmp_path: Path, load: Load, content: str) -> None:
    (tmp_path / "hyperparameters.json").write_text(content)
    with pytest.raises(load("refusal").RefusalError, match=r"hyperparameters.json: .*give an object of strings"):
        load("hyperparameters").read_hyperparameters(tmp_path / "hyperparameters.json")


def test_is_linear_when_told_nothing(tmp_path: Path, load: Load) -> None:
    assert load("hyperparameters").read_hyperparameters(tmp_path / "hyperparameters.json").recipe == "linear"
