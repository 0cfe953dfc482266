"""Files that a training job gets in addition to its posts."""

import re
from dataclasses import dataclass
from typing import Any

from ..._checks import check_kind, plain, refusal
from ._data_access import check_prefix
from .data_channel import check_content_type

# CreateTrainingJob's pattern
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST_REMEDY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChannel:
    """Objects in the data's bucket that the training program finds in `/opt/ml/input/data/<name>`.

    So a training job that starts from a pretrained model needs no network. A release first checks that there are
    objects, and fails with one line if there are none.

    Args:
        name: of the channel: 1 to 64 letters, digits, dots, hyphens and underscores.
        prefix: their prefix in the workflow's `data_bucket`. It ends with a slash, does not begin with one and is not
            below `runs/`, `models/` or `sides/`. The training role may read it, and the workflow never writes there.
        remedy: what to do if there are no objects: the end of the line that the release fails with, at most 1,000
            characters, as "run `make pretrained`".
        content_type: the content type that the program gets, as `text/csv`. Default: none.

    Raises:
        InvalidArgumentError: an invalid name, prefix or content type, or no remedy.

    Example:
        ```python
        training = TrainingJob(
            image=model_image,
            channels=[
                InputChannel(name="pretrained", prefix="pretrained/3f2a/", remedy="upload the model of commit 3f2a")
            ],
        )
        ```
    """

    name: str
    prefix: str
    remedy: str
    content_type: str | None = None

    def __post_init__(self) -> None:
        check_channel_name("name", self.name)
        check_content_type(self.content_type)
        check_prefix(self.prefix)
        check_kind("remedy", self.remedy, str, "text")
        if not self.remedy.strip() or "\n" in self.remedy or len(self.remedy) > _LONGEST_REMEDY:
            raise refusal(
                "remedy",
                plain(f"{len(self.remedy)} characters") if self.remedy.strip() else self.remedy,
                f"one line of 1 to {_LONGEST_REMEDY} characters",
                "say what to do where nothing is there",
            )


def check_channel_name(argument: str, name: Any) -> None:
    """Refuses a channel name that CreateTrainingJob does not accept.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind(argument, name, str, "text")
    if not _NAME.fullmatch(name):
        raise refusal(argument, name, "1 to 64 letters, digits, dots, hyphens and underscores")
