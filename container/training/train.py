"""`python train.py train`: runs one SageMaker training job, from labelled posts to model.onnx and its manifest."""

from __future__ import annotations

import json
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from cascade import CascadeModel, with_first_stage
from evaluation import best_threshold, metrics
from exported_model import ExportedModel
from golden_posts import write_golden_posts, write_held_out_scores
from gpu_instance import has_gpu
from hyperparameters import Hyperparameters, read_hyperparameters
from known_trigrams import KnownTrigrams
from model_folder import MANIFEST, filled_at_once
from posts import Post, fingerprint, read_channel
from pretrained_files import CHANNEL, Pretrained, pretrained
from refusal import RefusalError
from sagemaker_folders import SageMakerFolders
from serving_memory import serving_memory
from sklearn.model_selection import train_test_split
from unlabelled_posts import CHANNEL as UNLABELLED
from unlabelled_posts import read_unlabelled
from unprivileged import become_unprivileged
from validation_profile import write_validation_profile

MANIFEST_VERSION = 1
FEWEST_TRAINING_POSTS_A_LABEL = 10
VALIDATION_SHARE = 0.2


def main(arguments: Sequence[str]) -> int:
    """Train; return 0 if the model folder is complete, otherwise 1 with the reason in output/failure."""
    if list(arguments) != ["train"]:
        print(f"error: got {' '.join(arguments) or 'no argument'}; allowed is: train", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    folders = SageMakerFolders.from_environment()
    folders.failure.parent.mkdir(parents=True, exist_ok=True)
    folders.failure.unlink(missing_ok=True)
    try:
        run(folders)
    except RefusalError as refusal:
        _report_failure(folders, str(refusal))
        return 1
    except Exception as error:
        # FailureReason shows this line only; the job's log has the traceback.
        _report_failure(folders, _shown(error))
        print("".join(traceback.format_tb(error.__traceback__)), file=sys.stderr, flush=True)
        return 1
    return 0


def run(folders: SageMakerFolders) -> None:
    """Train, evaluate and write the model.

    Raises:
        RefusalError: hyperparameters or posts are unusable.
    """
    started = time.monotonic()
    hyperparameters = read_hyperparameters(folders.hyperparameters)
    channels = {name: read_channel(folders.channel(name)) for name in ("train", "test")}
    _refuse_too_few(channels["train"])
    for name, posts in channels.items():
        print(f"{name}_posts={len(posts)} {name}_violations={_violations(posts)}", flush=True)
    in_both = {post.text for post in channels["train"]} & {post.text for post in channels["test"]}
    if in_both:
        print(f"warning: {len(in_both)} texts are in both train and test; the metrics are too good", flush=True)
    start = pretrained(folders.channel(CHANNEL), hyperparameters) if hyperparameters.recipe != "linear" else None
    unlabelled: list[str] = []
    if hyperparameters.recipe == "student":
        # Validation and test posts must not be learnt from, even without their labels.
        labelled = {post.text for posts in channels.values() for post in posts}
        unlabelled = read_unlabelled(folders.channel(UNLABELLED), known=labelled)
        print(f"unlabelled_posts={len(unlabelled)}", flush=True)
    # After reading the channels, because another user may not be allowed to read their files. Files that are read
    # later, and folders that are written, are handed over to that user.
    checkpoints = folders.checkpoints
    become_unprivileged(
        (folders.model, folders.output_data, folders.failure.parent, *([checkpoints] if checkpoints else [])),
        readable=folders.channel(CHANNEL),
    )

    fitted, validation = train_test_split(
        channels["train"],
        test_size=VALIDATION_SHARE,
        random_state=hyperparameters.seed,
        stratify=[post.label for post in channels["train"]],
    )
    with filled_at_once(folders.model) as folder:
        print(f"recipe={hyperparameters.recipe} fitting on {len(fitted)} posts", flush=True)
        model = _train(fitted, unlabelled, validation, hyperparameters, folder, folders, start)
        # On validation posts: a threshold chosen on the test posts would make their metrics too good.
        of_validation = model.probabilities(_texts(validation))
        threshold = model.threshold
        if threshold is None:
            threshold = best_threshold([post.label for post in validation], of_validation)
        trigrams = KnownTrigrams.of(_texts(fitted))
        trigrams.save(folder)
        test = channels["test"]
        probabilities = model.probabilities(_texts(test))
        scores = metrics([post.label for post in test], probabilities, threshold=threshold)
        manifest: dict[str, object] = {
            "manifest_version": MANIFEST_VERSION,
            "recipe": hyperparameters.recipe,
            "preprocessing": model.preprocessing,
            "precision": model.precision,
            **({"network": model.network} if model.network else {}),
            **({"student": model.student} if model.student else {}),
            **({"cascade": model.cascade} if model.cascade else {}),
            "threshold": threshold,
            "metrics": scores,
            "posts": {
                "train": len(channels["train"]),
                "test": len(test),
                "train_violations": _violations(channels["train"]),
                "test_violations": _violations(test),
            },
            "data_fingerprint": fingerprint(channels),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        if serving := serving_memory(folder):
            manifest["serving"] = serving
            print(f"serving_mib={serving['mib']}", flush=True)
        content = json.dumps(manifest, indent=2) + "\n"
        (folder / MANIFEST).write_text(content, encoding="utf-8")
        folders.output_data.mkdir(parents=True, exist_ok=True)
        with filled_at_once(folders.output_data) as output:
            (output / "evaluation.json").write_text(content, encoding="utf-8")
            write_golden_posts(output, test, probabilities)
            write_held_out_scores(output, probabilities)
            by_first_stage = model.by_first_stage(_texts(validation)) if isinstance(model, CascadeModel) else []
            write_validation_profile(output, validation, of_validation, trigrams, by_first_stage)
    print(f"threshold={threshold:.4f}", flush=True)
    for name, value in scores.items():
        print(f"{name}={value:.4f}", flush=True)
    print(f"seconds={time.monotonic() - started:.1f}", flush=True)


def _train(
    fitted: Sequence[Post],
    unlabelled: Sequence[str],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    folder: Path,
    folders: SageMakerFolders,
    start: Pretrained | None,
) -> ExportedModel | CascadeModel:
    # Imported here, because importing torch and transformers takes seconds, and `linear` runs without them.
    if start is not None and hyperparameters.recipe == "student":
        import student_recipe

        learnt = student_recipe.train(
            fitted,
            unlabelled,
            validation,
            hyperparameters,
            folder,
            start=start,
            checkpoints=folders.checkpoints,
            instance_type=folders.instance_type,
        )
        return with_first_stage(learnt, fitted, validation, hyperparameters, folder)
    if start is not None:
        import bert_recipe

        learnt = bert_recipe.train(
            fitted,
            validation,
            hyperparameters,
            folder,
            start=start,
            checkpoints=folders.checkpoints,
            instance_type=folders.instance_type,
        )
        return with_first_stage(learnt, fitted, validation, hyperparameters, folder)
    import linear_recipe

    if has_gpu(folders.instance_type):
        print(f"warning: recipe linear has no use for the GPU of {folders.instance_type}", flush=True)
    return linear_recipe.train(fitted, validation, hyperparameters, folder)


def _refuse_too_few(posts: Sequence[Post]) -> None:
    for label in (0, 1):
        count = sum(post.label == label for post in posts)
        if count < FEWEST_TRAINING_POSTS_A_LABEL:
            raise RefusalError(
                f"channel train: {count} posts with label {label}; allowed is {FEWEST_TRAINING_POSTS_A_LABEL} or more"
            )


def _texts(posts: Sequence[Post]) -> list[str]:
    return [post.text for post in posts]


def _violations(posts: Sequence[Post]) -> int:
    return sum(post.label for post in posts)


def _shown(error: Exception) -> str:
    """Return an error's type and place, with the message of system and torch errors only: others may quote a post."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
    if isinstance(error, OSError | MemoryError) or type(error).__module__.startswith("torch"):
        return f"{where}: {' '.join(str(error).split())}"
    return where


def _report_failure(folders: SageMakerFolders, reason: str) -> None:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    folders.failure.write_text(reason + "\n", encoding="utf-8")


def _stop(signal_number: int, frame: FrameType | None) -> None:
    """Handle StopTrainingJob: exit through the `finally` blocks, so that no incomplete model is uploaded."""
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
