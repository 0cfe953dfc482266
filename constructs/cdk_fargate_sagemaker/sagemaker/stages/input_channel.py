"""Files that a training is given beside its posts."""

import re
from dataclasses import dataclass

from aws_cdk import Token

from ..._checks import check_kind, plain, refusal

# CreateTrainingJob's pattern; these two are the posts'.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OF_POSTS = ("train", "test")
_LONGEST_REMEDY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChannel:
    """Objects in the data's bucket that the training program finds in `/opt/ml/input/data/<name>`.

    So a training that starts from a pretrained model needs no network. A release looks for them before anything else,
    and ends in one line where there are none.

    Args:
        name: of the channel: 1 to 64 letters, digits, dots, hyphens and underscores, not `train` or `test`.
        prefix: below what in the workflow's `data_bucket` the objects are. It ends with a slash, begins with none and
            is not below `runs/` or `models/`. The training role may read it and nobody of the workflow writes it.
        remedy: what to do where nothing is there: the end of the line that the release fails with, at most 1,000
            characters, as "run `make pretrained`".

    Raises:
        InvalidArgumentError: a name or prefix that cannot be, or no remedy.

    Example:
        ```python
        training = TrainingJob(
            channels=[
                InputChannel(name="pretrained", prefix="pretrained/3f2a/", remedy="upload the model of commit 3f2a")
            ]
        )
        ```
    """

    name: str
    prefix: str
    remedy: str

    def __post_init__(self) -> None:
        check_kind("name", self.name, str, "text")
        if not _NAME.fullmatch(self.name) or self.name in _OF_POSTS:
            raise refusal(
                "name",
                self.name,
                "1 to 64 letters, digits, dots, hyphens and underscores, other than train and test",
                "the posts have those two",
            )
        check_kind("prefix", self.prefix, str, "text")
        if not Token.is_unresolved(self.prefix) and (
            not self.prefix.endswith("/") or self.prefix.startswith(("/", "runs/", "models/"))
        ):
            raise refusal(
                "prefix",
                self.prefix,
                "a prefix that ends with a slash and begins with none, not below runs/ or models/",
                "the workflow writes there",
            )
        check_kind("remedy", self.remedy, str, "text")
        if not self.remedy.strip() or "\n" in self.remedy or len(self.remedy) > _LONGEST_REMEDY:
            raise refusal(
                "remedy",
                plain(f"{len(self.remedy)} characters") if self.remedy.strip() else self.remedy,
                f"one line of 1 to {_LONGEST_REMEDY} characters",
                "say what to do where nothing is there",
            )
