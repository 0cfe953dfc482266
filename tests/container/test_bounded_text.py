"""What is done to a post before a model or a reviewer sees it: the same in all images, and in time."""

import hashlib
import importlib.util
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest

CONTAINERS = Path(__file__).resolve().parents[2] / "container"


@pytest.fixture(scope="module")
def bounded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bounded_text", CONTAINERS / "api" / "bounded_text.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_whoever_reads_posts_has_the_same_file() -> None:
    extractor = CONTAINERS.parent / "lambda" / "training_data_extractor"
    folders = [CONTAINERS / name for name in ("api", "inference", "training")]
    shared = {
        "bounded_text.py": [*folders, extractor],
        "post_key.py": [folders[0], extractor],
        "fast_tokenizer.py": folders[1:],
        "known_trigrams.py": folders[1:],
        "post_bins.py": [folders[0], folders[2]],
        "whole_answer.py": folders[:2],
    }
    for name, holders in shared.items():
        assert len({hashlib.sha256((holder / name).read_bytes()).digest() for holder in holders}) == 1


@pytest.mark.parametrize(
    "text", ["夜泣きがつらいです。", "ｶﾞｷﾞ㍿①", "e\u0301" * 500, "Z\u0300\u0315" + "\u0301" * 28, "👨‍👩‍👧", "a" * 9000]
)
def test_text_of_people_is_plain_nfkc(bounded: ModuleType, text: str) -> None:
    assert bounded.nfkc(text) == unicodedata.normalize("NFKC", text)


def test_every_character_that_becomes_a_mark_is_capped(bounded: ModuleType) -> None:
    most = bounded.LONGEST_RUN_OF_MARKS
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        if all(unicodedata.combining(part) for part in unicodedata.normalize("NFKD", character)):
            assert bounded.with_short_runs("a" + character * 1000) == "a" + character * most
    mixed = "a" + "\u0315" * 4999 + "\u0300" * 4999 + "b" + "\u0300" * 31
    assert bounded.with_short_runs(mixed) == "a" + "\u0315" * most + "b" + "\u0300" * most


def test_long_stretches_are_broken_and_others_are_not(bounded: ModuleType) -> None:
    assert bounded.with_breaks("あ" * 511) == "あ" * 511
    assert max(map(len, bounded.with_breaks("a" * 360_000).split(" "))) == bounded.LONGEST_STRETCH
    sentences = "すもももももももものうち。" * 100
    assert all(part.endswith("。") for part in bounded.with_breaks(sentences).split(" ") if len(part) > 256)
    assert bounded.with_breaks(sentences).replace(" ", "") == sentences
