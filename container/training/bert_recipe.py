"""Recipe `bert`: fine-tunes a pretrained Japanese BERT, on a GPU where the machine has one."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from checkpoint import Checkpoint
from exported_model import ExportedModel, Probabilities
from fused_graph import fuse
from gpu_instance import has_gpu
from hyperparameters import Hyperparameters
from japanese_wordpiece import DICTIONARY, NORMALISATION, JapaneseWordpiece, build_tokenizer
from mixed_precision import NAMES, training_number_type
from posts import Post, fingerprint
from precision import serve_int8_where_it_holds
from pretrained_files import Pretrained
from refusal import RefusalError
from sklearn.metrics import average_precision_score
from transformers import AutoConfig, BertForSequenceClassification, BertJapaneseTokenizer
from transformers.models.auto.tokenization_auto import get_tokenizer_config

TOKENIZER_FILE = "tokenizer.json"
ONNX_OPSET = 17
WARM_UP_SHARE = 0.1
"""Of all steps: the learning rate rises to its full value there, and then falls to 0."""
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT_NORM = 1.0
_SCORING_BATCH = 64
_POSTS_TO_CHECK = 64
"""Of the validation posts, when the export is compared with the trained model."""


def train(
    posts: Sequence[Post],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    folder: Path,
    *,
    start: Pretrained,
    checkpoints: Path | None,
    instance_type: str | None,
) -> ExportedModel:
    """Fine-tunes on `posts`, keeps the epoch that ranks `validation` best, writes model.onnx and tokenizer.json.

    model.onnx is int8 where that judges `validation` as fp32 does. A training that was interrupted goes on from
    `checkpoints` and ends as it would have; None keeps none.

    Raises:
        RefusalError: `instance_type` has a GPU that cannot be used, the pretrained model is not there or not of a kind
            this recipe knows, or the export answers otherwise than the trained model.
    """
    transformers.utils.logging.disable_progress_bar()
    device = _device(instance_type)
    _seed(hyperparameters.seed)
    vocabulary, network = _load_pretrained(start, max_length=hyperparameters.max_length)
    tokenizer = build_tokenizer(vocabulary, max_length=hyperparameters.max_length)
    wordpiece = JapaneseWordpiece(tokenizer)
    number_type = training_number_type(
        hyperparameters.mixed_precision,
        cuda=device.type == "cuda",
        bf16_is_fast=lambda: torch.cuda.is_bf16_supported(including_emulation=False),
    )
    print(
        f"device={device.type} mixed_precision={NAMES[number_type]} "
        f"pretrained_model={start.name} revision={start.revision}",
        flush=True,
    )
    checkpoint = Checkpoint(
        checkpoints, of=f"{hyperparameters} {start} {fingerprint({'train': posts, 'validation': validation})}"
    )
    _fine_tune(network.to(device), wordpiece, posts, validation, hyperparameters, device, number_type, checkpoint)

    tokenizer.save(str(folder / TOKENIZER_FILE))
    network.to("cpu").eval()
    path = folder / "model.onnx"
    export_onnx(network, path)
    fuse(
        path,
        layers=network.config.num_hidden_layers,
        heads=network.config.num_attention_heads,
        hidden_size=network.config.hidden_size,
    )
    exported = ExportedModel.load(
        path,
        encode=wordpiece.encode,
        preprocessing={
            "kind": "japanese_wordpiece",
            "normalisation": list(NORMALISATION),
            "tokenizer": TOKENIZER_FILE,
            "dictionary": DICTIONARY,
            "max_length": hyperparameters.max_length,
        },
    )
    texts = [post.text for post in validation[:_POSTS_TO_CHECK]]
    exported.check_against(texts, _probabilities(network, wordpiece, texts, torch.device("cpu")))
    if hyperparameters.precision == "fp32":
        return exported.with_precision({"chosen": "fp32", "reason": "hyperparameter precision"})
    return serve_int8_where_it_holds(
        exported,
        path,
        [post.text for post in validation],
        [post.label for post in validation],
        reduce_range=hyperparameters.reduce_range,
    )


class _Probability(torch.nn.Module):  # type: ignore[misc]  # `linear` is developed where torch is not installed
    """What is exported: token ids in, the probability of a violation out."""

    def __init__(self, network: BertForSequenceClassification) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.network(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=torch.zeros_like(input_ids)
        ).logits
        return torch.softmax(logits, dim=-1)[:, 1]


def _device(instance_type: str | None) -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if not has_gpu(instance_type):
        return torch.device("cpu")
    # A BERT takes days on the CPU of such a machine, at the price of its GPU.
    if torch.version.cuda is None:
        reason, remedy = "this PyTorch is for CPUs", "build the image without PIP_FIND_LINKS"
    else:
        reason, remedy = f"PyTorch for CUDA {torch.version.cuda} finds none", "take another instance or PyTorch"
        try:
            torch.cuda.init()
        except RuntimeError as error:
            reason = f"PyTorch for CUDA {torch.version.cuda} says {' '.join(str(error).split())[:300]!r}"
    raise RefusalError(
        f"no usable GPU: {instance_type} has one, and {reason}; {remedy}, or train on a type without a GPU"
    )


def _seed(seed: int) -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def _load_pretrained(start: Pretrained, *, max_length: int) -> tuple[Mapping[str, int], BertForSequenceClassification]:
    name, revision = start.name, start.revision
    try:
        config = AutoConfig.from_pretrained(name, revision=revision)
        if config.model_type != "bert":
            raise RefusalError(f"hyperparameter pretrained_model: {name!r} is a {config.model_type}; allowed is a bert")
        if max_length > config.max_position_embeddings:
            raise RefusalError(
                f"hyperparameter max_length: got {max_length}; {name!r} allows {config.max_position_embeddings} at most"
            )
        _refuse_other_tokenizers(get_tokenizer_config(name, revision=revision), name)
        # The published checkpoints name no dictionary, and the default is not the one they were trained with.
        tokenizer = BertJapaneseTokenizer.from_pretrained(
            name, revision=revision, mecab_kwargs={"mecab_dic": DICTIONARY}
        )
        network = BertForSequenceClassification.from_pretrained(
            name,
            revision=revision,
            num_labels=2,
            # The only one whose export ONNX Runtime can fuse.
            attn_implementation="eager",
        )
    except OSError as error:
        raise RefusalError(
            f"hyperparameter pretrained_model: {name!r} cannot be loaded ({' '.join(str(error).split())[:300]}); "
            "give the channel pretrained, a folder in the container, or a name on the Hugging Face hub"
        ) from None
    return tokenizer.vocab, network


def _refuse_other_tokenizers(given: Mapping[str, Any], name: str) -> None:
    """A model sees garbage when its words are cut otherwise than it was trained with."""
    mecab = given.get("mecab_kwargs") or {}
    for setting, value, allowed in (
        ("word_tokenizer_type", given.get("word_tokenizer_type"), "mecab"),
        ("subword_tokenizer_type", given.get("subword_tokenizer_type", "wordpiece"), "wordpiece"),
        ("do_lower_case", given.get("do_lower_case", False), False),
        ("mecab_dic", mecab.get("mecab_dic", DICTIONARY), DICTIONARY),
        ("mecab_option", mecab.get("mecab_option"), None),
    ):
        if value != allowed:
            raise RefusalError(
                f"hyperparameter pretrained_model: the tokenizer of {name!r} has {setting} {value!r}; "
                f"allowed is {allowed!r}"
            )


def _fine_tune(
    network: BertForSequenceClassification,
    wordpiece: JapaneseWordpiece,
    posts: Sequence[Post],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    device: torch.device,
    number_type: torch.dtype | None,
    checkpoint: Checkpoint,
) -> None:
    labels = torch.tensor([post.label for post in posts])
    # Both labels weigh the same in sum, as rare as violations may be.
    weights = len(posts) / (2 * torch.bincount(labels, minlength=2).float())
    loss_of = torch.nn.CrossEntropyLoss(weight=weights.to(device))
    optimizer = torch.optim.AdamW(network.parameters(), lr=hyperparameters.learning_rate, weight_decay=WEIGHT_DECAY)
    steps = hyperparameters.epochs * -(-len(posts) // hyperparameters.batch_size)
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))
    )
    scaler = torch.amp.GradScaler(device.type, enabled=number_type is torch.float16)
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule, "scaler": scaler}
    texts = [post.text for post in validation]
    truth = [post.label for post in validation]

    # Where the training stands: besides the parts' own states, all that a checkpoint has to hold.
    at: dict[str, Any] = {
        "epoch": 1,
        "batches": _batches(len(posts), hyperparameters.batch_size),
        "losses": [],
        "best": -1.0,
        "best_weights": {},
        "done": False,
    }
    if kept := checkpoint.read():
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        at = kept["at"]
        _set_chance(kept["chance"])
        print(f"resumed: epoch {at['epoch']} after {len(at['losses'])} of {len(at['batches'])} batches", flush=True)

    def keep() -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        checkpoint.write({**states, "at": at, "chance": _chance()})

    while not at["done"]:
        network.train()
        for batch in at["batches"][len(at["losses"]) :]:
            inputs = _tensors(wordpiece.encode([posts[index].text for index in batch]), device)
            with torch.autocast(device.type, dtype=number_type, enabled=number_type is not None):
                logits = network(**inputs).logits
            loss = loss_of(logits.float(), labels[batch].to(device))
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT_NORM)
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            at["losses"].append(float(loss.detach()))
            if len(at["losses"]) % hyperparameters.checkpoint_steps == 0:
                keep()
        epoch = at["epoch"]
        precision = float(average_precision_score(truth, _probabilities(network, wordpiece, texts, device)))
        print(
            f"epoch={epoch} loss={np.mean(at['losses']):.4f} validation_average_precision={precision:.4f}", flush=True
        )
        if precision > at["best"]:
            at["best"] = precision
            at["best_weights"] = {name: weight.detach().cpu().clone() for name, weight in network.state_dict().items()}
            at["done"] = epoch == hyperparameters.epochs
        else:
            print(f"stopped: epoch {epoch} ranks the validation posts no better than epoch {epoch - 1}", flush=True)
            at["done"] = True
        if not at["done"]:
            at |= {"epoch": epoch + 1, "batches": _batches(len(posts), hyperparameters.batch_size), "losses": []}
        keep()
    network.load_state_dict(at["best_weights"])


def _batches(count: int, batch_size: int) -> list[list[int]]:
    order = torch.randperm(count).tolist()
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def _chance() -> list[torch.Tensor]:
    """The state of what draws orders and what is dropped out."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def _set_chance(state: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(state[0])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state[1:])


def _tensors(inputs: Mapping[str, npt.NDArray[np.int64]], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(rows).to(device) for name, rows in inputs.items()}


def _probabilities(
    network: BertForSequenceClassification, wordpiece: JapaneseWordpiece, texts: Sequence[str], device: torch.device
) -> Probabilities:
    """The trained network's own answer, before any export."""
    network.eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(texts), _SCORING_BATCH):
            inputs = _tensors(wordpiece.encode(texts[start : start + _SCORING_BATCH]), device)
            found.append(torch.softmax(network(**inputs).logits, dim=-1)[:, 1].cpu().numpy())
    return np.concatenate(found).astype(np.float64)


def export_onnx(network: BertForSequenceClassification, path: Path) -> None:
    example = torch.ones((2, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        # The new exporter, which the warning recommends, writes attention in a form that ONNX Runtime does not fuse.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Probability(network).eval(),
            (example, example),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["probability"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "probability": {0: "batch"}},
            opset_version=ONNX_OPSET,
            dynamo=False,
        )
