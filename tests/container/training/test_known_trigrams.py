"""How much of a text is new to a model."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TRAINING = Path(__file__).resolve().parents[3] / "container" / "training"


@pytest.fixture(scope="module")
def trigrams() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TRAINING))
    known = set(sys.modules)
    yield importlib.import_module("known_trigrams")
    sys.path.remove(str(TRAINING))
    # Other programs have modules of the same names.
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(TRAINING)):
            del sys.modules[name]


@pytest.fixture(scope="module")
def few_known(trigrams: ModuleType) -> Any:
    return trigrams.KnownTrigrams.of(["a", "a b c"])


def test_what_the_training_posts_had_is_known_and_what_they_had_not_is_new(
    trigrams: ModuleType, tmp_path: Path
) -> None:
    made = trigrams.KnownTrigrams.of(["夜泣きで悩んでいます。", "夜泣きで悩んでいました", "once only, nowhere else"])
    made.save(tmp_path)
    known = trigrams.KnownTrigrams.load(tmp_path)
    assert known.unseen_percent("夜泣きで悩んでい") < 15
    assert known.unseen_percent("once only, nowhere else") > 90
    assert known.unseen_percent("ABC") == known.unseen_percent("ａｂｃ") == 100
    half = known.unseen_percent("夜泣きで悩んでい once only")
    assert 30 < half < 90


def test_a_folder_without_trigrams_or_with_a_damaged_file_has_none(trigrams: ModuleType, tmp_path: Path) -> None:
    assert trigrams.KnownTrigrams.load(tmp_path) is None
    (tmp_path / trigrams.FILE).write_bytes(b"\0" * 100)
    assert trigrams.KnownTrigrams.load(tmp_path) is None


def test_no_more_trigrams_are_known_than_leave_room_to_tell(
    trigrams: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corpus of any size: with most of the hashes taken everything would seem known."""
    monkeypatch.setattr(trigrams, "MOST_KNOWN", 5_000)
    # Each trigram is in two or four posts, and those of one text are in nine.
    texts = ["".join(map(chr, range(0x4E00 + 2000 * post, 0x4E00 + 2000 * post + 3000))) for post in range(10)]
    known = trigrams.KnownTrigrams.of([*texts, *texts, *["夜泣きで悩む"] * 9])
    assert known.unseen_percent("夜泣きで悩む") == 0
    assert known.unseen_percent(texts[0]) > 90
    few = trigrams.KnownTrigrams.of(["夜泣きで悩む"] * 2)
    assert few.unseen_percent("夜泣きで悩む") == 0


@settings(deadline=None)
@given(text=st.text())
def test_every_text_has_a_share(few_known: Any, text: str) -> None:
    assert 0 <= few_known.unseen_percent(text) <= 100
