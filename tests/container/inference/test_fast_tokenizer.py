"""A model with a `tokenizer.json` of its own, as a fine-tuned RoBERTa has: served by the library `tokenizers` alone."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

Load = Callable[[str], ModuleType]

CORPUS = [
    "hello world",
    "Hello, naïve wörld 🙂👩\u200d👧",
    "授乳で悩んでいます。",
    "한국어 中文",
    "e\u0301 \u3099",
    "a/s <b>",
]
HOSTILE = [
    *CORPUS,
    *(
        "",
        " ",
        "\x00",
        "a\x00b\x1c\x85\u2028",
        "\u0301" * 5_000,
        "🇯🇵🏳️\u200d🌈",
        "龘\U0010ffff\ufeff\u202e",
        "\ufdfa" * 500,
    ),
    *("a" * 10_000, "あ" * 10_000, "a " * 5_000, " " * 10_000),
]
CONTROLS = ["<s>", "<pad>", "</s>", "<mask>"]
LONGEST = 32


def _pairs_of_bytes() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[*CONTROLS, "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _sentence_pieces() -> Tokenizer:
    """Whose vocabulary itself has the control tokens, so that a text's `</s>` is found there."""
    characters = sorted(set("".join(CORPUS)) - {" "} | {"▁"})
    pieces = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")]
    tokenizer = Tokenizer(models.Unigram([*pieces, *((character, -3.0) for character in characters)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)])
    return tokenizer


def _word_pieces() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=[*CONTROLS, "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@pytest.fixture(params=[_pairs_of_bytes, _sentence_pieces, _word_pieces])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    made: Tokenizer = request.param()
    around = [(token, made.token_to_id(token)) for token in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=around)
    made.enable_truncation(LONGEST)
    made.enable_padding(pad_id=made.token_to_id("<pad>"), pad_token="<pad>")
    return made


@pytest.fixture
def model(tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A model folder as the training writes it; its probability of a token sequence is the mean of its tokens'."""
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    of_tokens = np.random.default_rng(0).uniform(size=tokenizer.get_vocab_size()).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["of_tokens", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["each", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["probability"]),
    ]
    rows = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "m"]) for name in ("input_ids", "attention_mask")
    ]
    answer = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"])]
    weights = [numpy_helper.from_array(of_tokens, "of_tokens"), numpy_helper.from_array(np.array([1]), "axis")]
    graph = helper.make_graph(nodes, "mean", rows, answer, weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx"
    )
    _describe(tmp_path, control_tokens=[tokenizer.token_to_id(token) for token in CONTROLS])
    return tmp_path


def _describe(model: Path, **changes: object) -> dict[str, object]:
    described = {"kind": "fast_tokenizer", "normalisation": [], "tokenizer": "tokenizer.json", **changes}
    (model / "manifest.json").write_text(json.dumps({"manifest_version": 1, "preprocessing": described}))
    return described


def test_tokens_are_those_of_the_file(model: Path, tokenizer: Tokenizer, load: Load) -> None:
    described = json.loads((model / "manifest.json").read_text())["preprocessing"]
    preprocessing = load("preprocessing").from_manifest(described, model)
    tokenizer.no_padding()
    rows = preprocessing.rows(HOSTILE)
    assert [row.tolist() for row in rows] == [encoding.ids for encoding in tokenizer.encode_batch(HOSTILE)]
    assert max(map(len, rows)) == LONGEST
    inputs = preprocessing.inputs(rows[:3])
    padding = tokenizer.token_to_id("<pad>")
    for row, ids, mask in zip(rows, inputs["input_ids"], inputs["attention_mask"], strict=False):
        assert ids.tolist() == [*row, *[padding] * (len(ids) - len(row))]
        assert mask.tolist() == [1] * len(row) + [0] * (len(ids) - len(row))


def test_a_control_token_in_a_post_is_a_text(model: Path, tokenizer: Tokenizer, load: Load) -> None:
    described = json.loads((model / "manifest.json").read_text())["preprocessing"]
    preprocessing = load("preprocessing").from_manifest(described, model)
    controls = {tokenizer.token_to_id(token) for token in CONTROLS}
    for text in ("a</s>a", "<mask>", "a <mask> a", "<pad><pad>a", "<s>", *CONTROLS):
        row = preprocessing.rows([text])[0].tolist()
        assert [row[0], row[-1]] == [tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")]
        assert not controls & set(row[1:-1]), text
        # It is cut like any other text, where the vocabulary has it in no other way.
        tokenizer.encode_special_tokens = True
        assert row[1:-1] == [token for token in tokenizer.encode(text).ids[1:-1] if token not in controls]
        assert len(row) > 2 or isinstance(tokenizer.model, models.Unigram)
    # What a vocabulary does not know stays, as the model has learnt a token for it.
    unknown = tokenizer.encode("龘").ids
    assert preprocessing.rows(["龘"])[0].tolist() == unknown


def test_is_served_alone_as_in_a_batch(model: Path, load: Load) -> None:
    served = load("inference").Model.load(model, threads=1, batch_size=4)
    alone = [served.predict([text]).probabilities[0] for text in HOSTILE]
    assert served.predict(HOSTILE).probabilities == pytest.approx(alone, abs=1e-6)
    assert len(set(alone)) > len(HOSTILE) / 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda model: (model / "tokenizer.json").unlink(), "tokenizer.json: not in the model folder"),
        (lambda model: (model / "tokenizer.json").write_text("{"), "tokenizer.json: EOF while parsing"),
        (lambda model: _describe(model), "manifest.json: got control_tokens None; allowed is a list of token ids"),
        (
            lambda model: _describe(model, control_tokens=["<s>"]),
            "manifest.json: got control_tokens ['<s>']; allowed is a list of token ids",
        ),
    ],
    ids=["no tokenizer", "tokenizer", "no control tokens", "control tokens"],
)
@pytest.mark.parametrize("tokenizer", [_word_pieces], indirect=True)
def test_fails_when_there_is_no_such_tokenizer(
    model: Path, load: Load, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(model)
    inference = load("inference")
    with pytest.raises(inference.ModelUnusableError) as refused:
        inference.Model.load(model, threads=1, batch_size=1)
    assert str(refused.value).startswith(said)
