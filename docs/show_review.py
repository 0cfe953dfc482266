"""Writes what `cdk-review` says of one change, and the kinds of its flags, into a page. `make docs` runs it.

    python docs/show_review.py BASE HEAD --page docs/review-a-change.md

What is generated stands between a marker, `<!-- review: report -->` or `<!-- review: kinds -->`, and the next
`<!-- end -->`.
"""

import argparse
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from cdk_review.assembly import read_assembly
from cdk_review.flag import KINDS
from cdk_review.pictures import Pictures, draw_pictures
from cdk_review.policy import GROUPS
from cdk_review.report import PICTURES, write_review
from cdk_review.review import review


def kinds() -> str:
    """The table of kinds, each with the word of --fail-on that stands for it and others."""
    words = {kind: word for word, group in GROUPS.items() for kind in group}
    rows = [f"| {kind} | {meaning} | {words.get(kind, '')} |" for kind, meaning in KINDS.items()]
    return "\n".join(["| kind | what it means | also by `--fail-on` |", "|---|---|---|", *rows])


def report(base: Path, head: Path, images: Path) -> str:
    """review.md of two cloud assemblies, its heading one level down; the pictures of a day go to the images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        judged = review(read_assembly(base), read_assembly(head))
        drawn = draw_pictures(judged.stacks, base=base, head=head, output=folder, left_out=[])
        write_review(replace(judged, pictures=tuple(_of_a_day(each) for each in drawn)), folder)
        page = (folder / "review.md").read_text(encoding="utf-8")
        for path in re.findall(rf"{PICTURES}/[\w.-]+\.png", page):
            images.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / path, images / path.rpartition("/")[2])
            page = page.replace(path, f"images/review/{path.rpartition('/')[2]}")
    return re.sub(r"^## ", "### ", page, flags=re.MULTILINE).strip()


def _of_a_day(pictures: Pictures) -> Pictures:
    before, after = ({"1d": side["1d"]} if "1d" in side else {} for side in (pictures.before, pictures.after))
    return replace(pictures, before=before, after=after)


def filled(page: str, marker: str, text: str) -> str:
    """The page with the text behind its marker, in place of what stood there."""
    begin = f"<!-- review: {marker} -->\n"
    before, _, after = page.partition(begin)
    return f"{before}{begin}{text}\n<!-- end -->{after.partition('<!-- end -->')[2]}"


def main(base: Path, head: Path, path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    page = filled(page, "kinds", kinds())
    path.write_text(filled(page, "report", report(base, head, path.parent / "images/review")), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("base", type=Path)
    parser.add_argument("head", type=Path)
    parser.add_argument("--page", type=Path, required=True)
    given = parser.parse_args()
    main(given.base, given.head, given.page)
