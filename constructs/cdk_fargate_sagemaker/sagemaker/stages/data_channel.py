"""The channel through which a training program gets one side of the posts."""

from dataclasses import dataclass
from typing import Any

from ..._checks import check_kind, check_one_of, plain, refusal

SIDES = ("train", "test")
_LONGEST_CONTENT_TYPE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannel:
    """One side of the extracted data, which the training program finds in `/opt/ml/input/data/<name>`.

    Args:
        side: `train`, what is trained with, or `test`, what is held out.
        content_type: the content type that the program gets, as `text/csv`. Default: none.

    Raises:
        InvalidArgumentError: another side, or no content type.

    Example:
        ```python
        training = TrainingJob(
            image=model_image,
            data_channels={
                "train": DataChannel(side="train", content_type="text/csv"),
                "validation": DataChannel(side="test", content_type="text/csv"),
            },
        )
        ```
    """

    side: str
    content_type: str | None = None

    def __post_init__(self) -> None:
        check_one_of("side", self.side, SIDES)
        check_content_type(self.content_type)


def check_content_type(content_type: Any) -> None:
    """Refuses a content type that CreateTrainingJob does not accept.

    Raises:
        InvalidArgumentError: see above.
    """
    if content_type is None:
        return
    check_kind("content_type", content_type, str, "text, as text/csv")
    if not content_type or len(content_type) > _LONGEST_CONTENT_TYPE:
        raise refusal(
            "content_type", plain(f"{len(content_type)} characters"), f"1 to {_LONGEST_CONTENT_TYPE}, as text/csv"
        )
