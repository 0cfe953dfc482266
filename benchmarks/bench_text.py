"""Shows that twice the text takes at most three times as long, by class of character, in all three programs.

What is measured is what each does to a text before a model sees it: the API's key of a post, the endpoint's rows for
each kind of model, and training's token ids. The minimum of several runs, in time of the processor, as other programs
share the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CONTAINERS = Path(__file__).resolve().parents[1] / "container"
MOST_RATIO = 3.0
RUNS = 20
CLASSES = {
    "latin": "a",
    "words": "some words ",
    "digits": "1",
    "symbols": "!",
    "hiragana": "あ",
    "katakana": "キ",
    "kanji": "漢",
    "numerals": "一",
    "sentences": "すもももももももものうち。",
    "emoji": "😀",
    "joined emoji": "👨\u200d👩\u200d👧",
    "greek": "α",
    "hangul": "가",
    "jamo": "\u1100\u1161\u11a8",
    "thai": "ก",
    "half width": "ｶﾞ",
    "zero width": "\u200b",
    "mark": "\u0300",
    "marks that change places": "\u0315\u0300",
    "marks of half width": "ﾞ",
    "two marks in one": "\u0344",
    "expanding": "\u3316",
    "expanding most": "\ufdfa",
}
_MEASURE = """
import json, sys, time
from pathlib import Path
program, folder, runs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
classes = json.load(sys.stdin)
if program == "api":
    from review_post import post_key
    ways = {"post_key": post_key}
elif program == "inference":
    from preprocessing import CodePoints, JapaneseWordpiece, TokenizerFile
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    def of_its_own(model, normalizer, pre_tokenizer):
        tokenizer = Tokenizer(model)
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
        tokenizer.enable_truncation(256)
        tokenizer.save(str(folder / "own.json"))
        own = TokenizerFile(steps=[], tokenizer=folder / "own.json", control_tokens=[])
        return lambda text: own.rows([text])

    merges = [("a" * 2**power,) * 2 for power in range(8)]
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(left + right for left, right in merges)]
    byte_pairs = models.BPE({letter: place for place, letter in enumerate(letters)}, merges)
    pieces = models.Unigram([("<unk>", 0.0), *(("a" * length, -length) for length in range(1, 17))], unk_id=0)
    code_points = CodePoints(steps=["nfkc", "lower", "strip_nul", "collapse_whitespace"])
    wordpiece = JapaneseWordpiece(steps=["nfkc", "strip_nul"], tokenizer=folder / "tokenizer.json")
    ways = {"code points": lambda text: code_points.rows([text]), "wordpiece": lambda text: wordpiece.rows([text]),
            "byte pairs": of_its_own(byte_pairs, normalizers.NFC(), pre_tokenizers.ByteLevel()),
            "pieces": of_its_own(pieces, normalizers.NFKC(), pre_tokenizers.Metaspace()),
            "BERT's": of_its_own(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"),
                                 normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())}
else:
    from japanese_wordpiece import JapaneseWordpiece, build_tokenizer
    from linear_recipe import encode_code_points
    vocabulary = {token: place for place, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"])}
    tokenizer = build_tokenizer(vocabulary, max_length=256)
    tokenizer.save(str(folder / "tokenizer.json"))
    wordpiece = JapaneseWordpiece(tokenizer)
    ways = {"code points": lambda text: encode_code_points([text]), "wordpiece": lambda text: wordpiece.encode([text])}

from bounded_text import LONGEST_TEXT, nfkc
found = []
for name, unit in classes.items():
    # As long as the limits let a text be, in NFKC too.
    most = LONGEST_TEXT // max(1, len(nfkc(unit)) // len(unit))
    whole = (unit * most)[:most]
    for way, prepare in ways.items():
        seconds = [1e9, 1e9]
        for _ in range(runs):
            # In turns, so that a machine that is slow for a while is slow for both.
            for place, text in enumerate((whole[: most // 2], whole)):
                started = time.process_time()
                prepare(text)
                seconds[place] = min(seconds[place], time.process_time() - started)
        found.append([way, name, *seconds])
print(json.dumps(found))
"""


def measured(program: str, folder: Path) -> list[tuple[str, str, float, float]]:
    """Return way, class and the seconds for half of the longest text and for the whole, of one program."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, program, str(folder), str(RUNS)],
        cwd=CONTAINERS / program,
        input=json.dumps(CLASSES),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [(way, name, half, whole) for way, name, half, whole in json.loads(done.stdout)]


def main(programs: Sequence[str]) -> int:
    """Print a table; exit status 1 where twice the text takes more than three times as long."""
    slow = 0
    with tempfile.TemporaryDirectory() as folder:
        # Training first: it writes the tokenizer that the endpoint reads.
        for program in programs:
            for way, name, half, whole in measured(program, Path(folder)):
                # Below a tenth of a millisecond the result depends on the clock and the caches.
                ratio = whole / half
                at_fault = ratio > MOST_RATIO and whole > 1e-4
                slow += at_fault
                mark = "  too slow" if at_fault else ""
                print(f"{program:10} {way:12} {name:26} {half * 1e3:8.2f} ms {whole * 1e3:8.2f} ms {ratio:5.2f}{mark}")
    print(f"{slow} of all take more than {MOST_RATIO:g} times as long for twice the text")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(["training", "inference", "api"]))
