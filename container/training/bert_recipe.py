"""Recipe `bert`: fine-tunes a pretrained encoder, such as a Japanese BERT, on a GPU where the machine has one."""

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
from exported_model import Encode, ExportedModel, Probabilities
from fused_graph import fuse
from gpu_instance import has_gpu
from hyperparameters import Hyperparameters
from mixed_precision import NAMES, training_number_type
from posts import Post, fingerprint
from precision import serve_int8_where_it_holds
from pretrained_encoder import TOKENIZER_FILE, Encoder, load_encoder
from pretrained_files import Pretrained
from refusal import RefusalError
from sklearn.metrics import average_precision_score
from transformers import PreTrainedModel

ONNX_OPSET = 17
WARM_UP_SHARE = 0.1
"""The share of all steps in which the learning rate rises to its full value; then it falls to 0."""
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT_NORM = 1.0
_SCORING_BATCH = 64
_POSTS_TO_CHECK = 64
"""The number of validation posts on which the export is compared with the trained model."""


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
    """Fine-tune on `posts`, keep the epoch that ranks `validation` best, write model.onnx and tokenizer.json.

    model.onnx is int8 if int8 predicts `validation` as well as fp32, and has attention in one operator if ONNX Runtime
    can fuse it; the manifest records both. An interrupted training continues from `checkpoints` with the same result;
    with None it keeps no checkpoints.

    Raises:
        RefusalError: `instance_type` has a GPU that cannot be used, the pretrained model is missing or of a type that
            this recipe does not support, or the export's predictions differ from the trained model's.
    """
    encoder, _ = fine_tuned(
        posts, validation, hyperparameters, start=start, checkpoints=checkpoints, instance_type=instance_type
    )
    return export(encoder, validation, hyperparameters, folder)


def fine_tuned(
    posts: Sequence[Post],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    *,
    start: Pretrained,
    checkpoints: Path | None,
    instance_type: str | None,
) -> tuple[Encoder, torch.device]:
    """Return the network of the epoch that ranks `validation` best, and the device of its training; see `train`."""
    transformers.utils.logging.disable_progress_bar()
    device = _device(instance_type)
    _seed(hyperparameters.seed)
    encoder = load_encoder(start, max_length=hyperparameters.max_length)
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
    _fine_tune(encoder, posts, validation, hyperparameters, device, number_type, checkpoint)
    return encoder, device


def export(
    encoder: Encoder, validation: Sequence[Post], hyperparameters: Hyperparameters, folder: Path
) -> ExportedModel:
    """Write model.onnx and tokenizer.json of a network; `validation` serves to check them and to choose the precision.

    Raises:
        RefusalError: the export's predictions differ from the network's.
    """
    encoder.tokenizer.save(str(folder / TOKENIZER_FILE))
    network, encode = encoder.network.to("cpu").eval(), encoder.encode
    path = folder / "model.onnx"
    export_onnx(network, path)
    layers = network.config.num_hidden_layers
    fused = fuse(path, layers=layers, heads=network.config.num_attention_heads, hidden_size=network.config.hidden_size)
    exported = ExportedModel.load(
        path,
        encode=encode,
        preprocessing=encoder.preprocessing,
        network={"model_type": network.config.model_type, "layers": layers, "fused_attentions": fused},
    )
    texts = [post.text for post in validation[:_POSTS_TO_CHECK]]
    texts.append(" ".join(texts))  # after truncation as long as the longest post that will be served
    exported.check_against(texts, network_probabilities(network, encode, texts, torch.device("cpu")))
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
    """The exported network: its input is token ids, its output the probability of a violation."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return torch.softmax(logits, dim=-1)[:, 1]


def _device(instance_type: str | None) -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if not has_gpu(instance_type):
        return torch.device("cpu")
    # On the CPU of a GPU machine a BERT would take days, at the price of the GPU.
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
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)


def _fine_tune(
    encoder: Encoder,
    posts: Sequence[Post],
    validation: Sequence[Post],
    hyperparameters: Hyperparameters,
    device: torch.device,
    number_type: torch.dtype | None,
    checkpoint: Checkpoint,
) -> None:
    network, encode = encoder.network.to(device), encoder.encode
    labels = torch.tensor([post.label for post in posts])
    # Both labels have the same total weight, however rare violations are.
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

    # The progress of the training: all that a checkpoint needs besides the states of network, optimiser and scaler.
    at: dict[str, Any] = {
        "epoch": 1,
        "batches": batches(len(posts), hyperparameters.batch_size),
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
            inputs = tensors(encode([posts[index].text for index in batch]), device)
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
        precision = float(average_precision_score(truth, network_probabilities(network, encode, texts, device)))
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
            at |= {"epoch": epoch + 1, "batches": batches(len(posts), hyperparameters.batch_size), "losses": []}
        keep()
    network.load_state_dict(at["best_weights"])


def batches(count: int, batch_size: int) -> list[list[int]]:
    order = torch.randperm(count).tolist()
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def _chance() -> list[torch.Tensor]:
    """Return the states of the random number generators, which decide the order of posts and dropout."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]


def _set_chance(state: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(state[0])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state[1:])


def tensors(inputs: Mapping[str, npt.NDArray[np.int64]], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(rows).to(device) for name, rows in inputs.items()}


def network_probabilities(
    network: PreTrainedModel, encode: Encode, texts: Sequence[str], device: torch.device
) -> Probabilities:
    """Return the trained network's own predictions, before any export."""
    network.eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(texts), _SCORING_BATCH):
            inputs = tensors(encode(texts[start : start + _SCORING_BATCH]), device)
            found.append(torch.softmax(network(**inputs).logits, dim=-1)[:, 1].cpu().numpy())
    return np.concatenate(found).astype(np.float64)


def export_onnx(network: PreTrainedModel, path: Path) -> None:
    example = torch.ones((2, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        # The warning recommends the new exporter, but ONNX Runtime cannot fuse the form in which that writes attention.
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
