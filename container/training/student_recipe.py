"""Recipe `student`: a small network learns the predictions of a fine-tuned one, on labelled and unlabelled posts.

The student serves if it predicts as well as its teacher, otherwise the teacher. The manifest records which one serves,
and why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bert_recipe
import numpy as np
import numpy.typing as npt
import torch
from evaluation import best_threshold
from exported_model import ExportedModel, Probabilities
from hyperparameters import LARGEST_STUDENT_WIDTH, STUDENT_HEAD_WIDTH, USUAL_STUDENT_WIDTH, Hyperparameters
from judged_difference import Difference, too_few
from posts import Post
from pretrained_encoder import Encoder, fast_parts, japanese_parts, padding_of
from pretrained_files import Pretrained
from pruned_vocabulary import prune
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

LARGEST_AUC_DROP = 0.01
SMALLEST_AGREEMENT = 0.97
FEWEST_POSTS = 1000
"""The fewest posts to learn from, labelled or not: with fewer a small network learns their words, not their meaning."""

_PATIENCE = 3
_HIDDEN_SHARE = 0.1
"""The weight in the loss of the first token's last hidden state; the rest weighs the difference of the predictions."""
_LIKE_LENGTHS = 50
"""The batches whose posts are sorted by length together, to reduce padding."""


@dataclass(frozen=True, slots=True)
class _Lessons:
    """The teacher's outputs for each text."""

    texts: Sequence[str]
    logits: torch.Tensor
    """The logit of a violation minus the logit of none."""
    states: torch.Tensor
    """The first token's hidden state after the last layer."""


def train(
    posts: Sequence[Post],
    unlabelled: Sequence[str],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    folder: Path,
    *,
    start: Pretrained,
    checkpoints: Path | None,
    instance_type: str | None,
) -> ExportedModel:
    """Fine-tune the teacher as recipe `bert` does, train a student on its outputs, write the one that serves.

    An interrupted job continues the teacher's training; the student's training starts from the beginning.

    Raises:
        RefusalError: see `bert_recipe.train`.
    """
    encoder, device = bert_recipe.fine_tuned(
        posts, validation, hyperparameters, start=start, checkpoints=checkpoints, instance_type=instance_type
    )
    labels = [post.label for post in validation]
    texts = [post.text for post in posts] + list(unlabelled)
    found: dict[str, Any] = {"examples": {"labelled": len(posts), "unlabelled": len(unlabelled)}}
    with _scratch(folder) as teacher_folder, _scratch(folder) as student_folder:
        lessons = None if (few := _too_few(texts, labels)) else _lessons(encoder, texts, device)
        width = _width(hyperparameters, encoder.network)
        teacher = bert_recipe.export(encoder, validation, hyperparameters, teacher_folder)
        said = teacher.probabilities([post.text for post in validation])
        threshold = best_threshold(labels, said)
        if lessons is None:
            return _serve(teacher, teacher_folder, folder, {"serves": "teacher", "reason": few, **found})

        student, tokens = student_of(encoder, texts, layers=hyperparameters.student_layers, width=width)
        distil(student, lessons, encoder, validation, hyperparameters, device)
        exported = bert_recipe.export(student, validation, hyperparameters, student_folder)
        difference = Difference.of(
            labels, said, exported.probabilities([post.text for post in validation]), threshold=threshold
        )
        fault = difference.fault(largest_drop=LARGEST_AUC_DROP, smallest_agreement=SMALLEST_AGREEMENT)
        found |= {
            "layers": hyperparameters.student_layers,
            "width": width,
            "vocabulary": {"tokens": student.network.config.vocab_size, "of": tokens},
            "auc_teacher": difference.auc_first,
            "auc_student": difference.auc_second,
            **difference.as_json(),
        }
        if fault:
            return _serve(teacher, teacher_folder, folder, {"serves": "teacher", "reason": fault, **found})
        reason = (
            f"the AUC is lower by {difference.drop:.4f}, at 95 % by less than {difference.drop_high:.4f}, and flags "
            f"agree on {difference.agreement:.2%} of {difference.posts} posts"
        )
        # Both were compared at the teacher's threshold, so the student serves with it.
        exported = replace(exported, threshold=threshold)
        return _serve(exported, student_folder, folder, {"serves": "student", "reason": reason, **found})


def _too_few(texts: Sequence[str], labels: Sequence[int]) -> str | None:
    if len(texts) < FEWEST_POSTS:
        return (
            f"{len(texts)} posts to learn from, labelled or not; {FEWEST_POSTS} are needed: give "
            f"{FEWEST_POSTS - len(texts)} more, as in the channel unlabelled"
        )
    return too_few(labels)


def _serve(model: ExportedModel, files: Path, folder: Path, said: dict[str, Any]) -> ExportedModel:
    for path in files.iterdir():
        path.replace(folder / path.name)
    print(f"student serves={said['serves']} reason={said['reason']}", flush=True)
    return replace(model, student=said)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def _width(hyperparameters: Hyperparameters, network: PreTrainedModel) -> int:
    given = hyperparameters.student_width
    if given is not None:
        return given
    of_teacher = int(network.config.hidden_size)
    # From a teacher of this width the student can copy layers.
    return of_teacher if _can_copy(network, hyperparameters.student_layers, of_teacher) else USUAL_STUDENT_WIDTH


def _can_copy(network: PreTrainedModel, layers: int, width: int) -> bool:
    config = network.config
    return bool(
        config.model_type == "bert"
        and config.hidden_size == width <= LARGEST_STUDENT_WIDTH
        and config.num_hidden_layers >= layers
    )


def student_of(teacher: Encoder, texts: Sequence[str], *, layers: int, width: int) -> tuple[Encoder, int]:
    """Return a BERT with `layers` that knows the tokens of `texts` only, and the teacher's number of tokens.

    From a BERT of the same width it copies the embeddings and evenly spaced layers; from another network it takes the
    word embeddings, projected on their directions of greatest variance.
    """
    used: set[int] = set()
    for start in range(0, len(texts), 256):
        used.update(np.unique(teacher.encode(texts[start : start + 256])["input_ids"]).tolist())
    tokenizer, former = prune(teacher.tokenizer, used)
    new = {number: place for place, number in enumerate(former)}
    preprocessing = teacher.preprocessing
    max_length = int(str(preprocessing["max_length"]))
    if preprocessing["kind"] == "japanese_wordpiece":
        parts = japanese_parts(tokenizer, max_length=max_length)
    else:
        controls: list[int] = list(preprocessing["control_tokens"])  # type: ignore[call-overload]
        kept = [new[number] for number in controls if number in new]
        parts = fast_parts(tokenizer, control_tokens=kept, max_length=max_length)

    old = teacher.network
    copied = _can_copy(old, layers, width)
    config = BertConfig(
        vocab_size=len(former),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=old.config.num_attention_heads if copied else width // STUDENT_HEAD_WIDTH,
        intermediate_size=old.config.intermediate_size if copied else 4 * width,
        max_position_embeddings=max_length,
        pad_token_id=padding_of(tokenizer),
        num_labels=2,
        attn_implementation="eager",
    )
    network = BertForSequenceClassification(config)
    with torch.no_grad():
        words = old.get_input_embeddings().weight.detach().cpu()[former]
        if copied:
            _copy(old, network, former)
        else:
            network.get_input_embeddings().weight.copy_(_narrowed(words, width, like=config.initializer_range))
    return Encoder(network=network, **parts), int(old.get_input_embeddings().weight.shape[0])


def _copy(old: PreTrainedModel, network: PreTrainedModel, former: Sequence[int]) -> None:
    theirs = old.state_dict()
    own = network.state_dict()
    many, few = old.config.num_hidden_layers, network.config.num_hidden_layers
    for name, weight in own.items():
        source = name
        if ".encoder.layer." in name:
            before, _, behind = name.partition(".encoder.layer.")
            number, _, rest = behind.partition(".")
            source = f"{before}.encoder.layer.{round(int(number) * (many - 1) / (few - 1))}.{rest}"
        value = theirs[source].cpu()
        if name.endswith("word_embeddings.weight"):
            value = value[list(former)]
        weight.copy_(value[: len(weight)] if weight.dim() else value)


def _narrowed(words: torch.Tensor, width: int, *, like: float) -> torch.Tensor:
    """Return the embeddings in `width` dimensions, scaled to the standard deviation `like` of a new network's."""
    centred = words.float() - words.float().mean(dim=0)
    _, _, directions = torch.linalg.svd(centred.T @ centred)
    turned = centred @ directions[:width].T
    missing = width - turned.shape[1]
    if missing > 0:
        turned = torch.cat([turned, torch.zeros(len(turned), missing)], dim=1)
    return turned * (like / turned.std())


def _lessons(teacher: Encoder, texts: Sequence[str], device: torch.device) -> _Lessons:
    """Return the teacher's outputs, computed once: a teacher's prediction takes longer than a student's training."""
    network = teacher.network.to(device).eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    logits = torch.zeros(len(texts))
    states = torch.zeros(len(texts), int(network.config.hidden_size))
    with torch.no_grad():
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            inputs = bert_recipe.tensors(teacher.encode([texts[index] for index in batch]), device)
            said = network(**inputs, output_hidden_states=True)
            logits[batch] = (said.logits[:, 1] - said.logits[:, 0]).float().cpu()
            states[batch] = said.hidden_states[-1][:, 0].float().cpu()
    return _Lessons(texts, logits, states)


def distil(
    student: Encoder,
    lessons: _Lessons,
    teacher: Encoder,
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    device: torch.device,
) -> None:
    """Train `student`, and keep the weights of the epoch closest to the teacher on the validation posts."""
    network = student.network.to(device)
    texts = [post.text for post in validation]
    said = bert_recipe.network_probabilities(teacher.network.to(device), teacher.encode, texts, device)
    if lessons.states.shape[1] == network.config.hidden_size:
        turn: torch.nn.Module = torch.nn.Identity()
    else:
        turn = torch.nn.Linear(network.config.hidden_size, lessons.states.shape[1])
    turn.to(device)
    optimizer = torch.optim.AdamW(
        [*network.parameters(), *turn.parameters()],
        lr=hyperparameters.student_learning_rate,
        weight_decay=bert_recipe.WEIGHT_DECAY,
    )
    size = hyperparameters.batch_size
    steps = hyperparameters.student_epochs * -(-len(lessons.texts) // size)
    warm_up = max(1, round(bert_recipe.WARM_UP_SHARE * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))
    )
    scale, spread = lessons.logits.std().clamp(min=1e-3), lessons.states.std().clamp(min=1e-3)
    best, best_weights, worse = float("inf"), {}, 0
    for epoch in range(1, hyperparameters.student_epochs + 1):
        network.train()
        for batch in _batches_of_like_lengths(lessons.texts, size):
            inputs = bert_recipe.tensors(student.encode([lessons.texts[index] for index in batch]), device)
            answer = network(**inputs, output_hidden_states=True)
            apart = (answer.logits[:, 1] - answer.logits[:, 0]) - lessons.logits[batch].to(device)
            states = turn(answer.hidden_states[-1][:, 0]) - lessons.states[batch].to(device)
            loss = (apart / scale).square().mean() + _HIDDEN_SHARE * (states / spread).square().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), bert_recipe.LARGEST_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
        own = bert_recipe.network_probabilities(network, student.encode, texts, device)
        distance = _distance(own, said)
        print(f"student epoch={epoch} validation_distance={distance:.4f}", flush=True)
        if distance < best:
            best, worse = distance, 0
            best_weights = {name: weight.detach().cpu().clone() for name, weight in network.state_dict().items()}
        elif (worse := worse + 1) >= _PATIENCE:
            break
    network.load_state_dict(best_weights)


def _distance(own: Probabilities, said: Probabilities) -> float:
    """Return the root of the mean squared difference, which emphasises large differences."""
    return float(np.sqrt(np.mean((own - said) ** 2)))


def _batches_of_like_lengths(texts: Sequence[str], size: int) -> list[list[int]]:
    order = torch.randperm(len(texts)).tolist()
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _LIKE_LENGTHS):
        part = sorted(order[start : start + size * _LIKE_LENGTHS], key=lambda index: len(texts[index]))
        batches += [part[at : at + size] for at in range(0, len(part), size)]
    drawn: npt.NDArray[np.int64] = torch.randperm(len(batches)).numpy()
    return [batches[number] for number in drawn]
