"""Every type of encoder that the recipe takes, with tiny random weights and a tokenizer of its own kind.

Runs with the interpreter that `BERT_PYTHON` names: one with the packages of container/training installed.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

CONTAINER = Path(__file__).resolve().parents[3] / "container"
BERT_PYTHON = os.environ.get("BERT_PYTHON", "")
MAX_LENGTH = 48
LAYERS = 2
Train = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(
    not BERT_PYTHON,
    reason="BERT_PYTHON is not set: name a python with the packages of container/training (torch) installed",
)

FUSED = {
    # Its layers share their weights, which ONNX Runtime fuses for one of them alone.
    "albert": 1,
    "bert": LAYERS,
    "camembert": LAYERS,
    # These add relative positions to attention, or rotate what goes into it.
    "deberta": 0,
    "deberta-v2": 0,
    "distilbert": LAYERS,
    "electra": LAYERS,
    "modernbert": 0,
    "mpnet": 0,
    "roberta": LAYERS,
    "xlm-roberta": LAYERS,
}

# Arguments: a folder, and JSON with texts. Makes FOLDER/<type> as the hub has it, FOLDER/<type>/model as the recipe
# writes it, and FOLDER/<type>/tokens.json with what transformers makes of the texts.
MAKE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
folder, texts, max_length = Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text()), int(sys.argv[4])
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification, AutoTokenizer
from bert_recipe import export
from hyperparameters import Hyperparameters
from posts import Post
from pretrained_encoder import TAKEN, load_encoder
from pretrained_files import Pretrained
from student_recipe import student_of

transformers.utils.logging.set_verbosity_error()
# Without the last 100, which are of characters that no vocabulary has.
corpus = [text for text in texts[:-100] if len(text) < 1000 and not any(word in text for word in ("<", "["))]
NAMES = {
    "brackets": {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
                 "mask_token": "[MASK]"},
    "angles": {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>",
               "mask_token": "<mask>", "bos_token": "<s>", "eos_token": "</s>"},
}

def learnt(model, trainer, names, pre_tokenizer):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(corpus, trainer(vocab_size=600, show_progress=False,
        special_tokens=list(dict.fromkeys(names.values()))))
    return tokenizer, json.loads(tokenizer.to_str())["model"]

def wordpiece():
    names = NAMES["brackets"]
    _, model = learnt(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer, names,
                      pre_tokenizers.BertPreTokenizer())
    return transformers.BertTokenizer(vocab=model["vocab"], **names)

def byte_pairs():
    names = NAMES["angles"]
    _, model = learnt(models.BPE(), trainers.BpeTrainer, names, pre_tokenizers.ByteLevel())
    return transformers.RobertaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])

def sentence_pieces():
    names = NAMES["angles"]
    trainer = lambda **given: trainers.UnigramTrainer(unk_token="<unk>", **given)
    _, model = learnt(models.Unigram(), trainer, names, pre_tokenizers.Metaspace())
    pieces = [tuple(piece) for piece in model["vocab"] if piece[0] not in names.values()]
    controls = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    return transformers.XLMRobertaTokenizer(vocab=[*controls, *pieces, ("<mask>", 0.0)])

def file_alone():
    # As ModernBERT has it: a tokenizer.json that no class of transformers makes anew.
    names = NAMES["brackets"]
    tokenizer, _ = learnt(models.BPE(), trainers.BpeTrainer, names, pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.normalizer = normalizers.NFC()
    at = tokenizer.token_to_id
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, at(token)) for token in ("[CLS]", "[SEP]")])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)

TOKENIZERS = {"albert": sentence_pieces, "camembert": sentence_pieces, "deberta": byte_pairs,
    "deberta-v2": sentence_pieces, "modernbert": file_alone, "mpnet": byte_pairs, "roberta": byte_pairs,
    "xlm-roberta": sentence_pieces}
RELATIVE = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0}
SPECIAL = {
    "albert": {"embedding_size": 16},
    "deberta": RELATIVE,
    "deberta-v2": {**RELATIVE, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True,
                   "position_biased_input": False},
    "electra": {"embedding_size": 16},
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 2},
}
for kind in TAKEN:
    tokenizer = TOKENIZERS.get(kind, wordpiece)()
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos", "cls", "sep")}
    torch.manual_seed(1)
    config = CONFIG_MAPPING[kind](**{"vocab_size": len(tokenizer), "num_hidden_layers": 2, "num_attention_heads": 2,
        "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 80, **ids, **SPECIAL.get(kind, {})})
    network = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.2)
    (folder / kind / "model").mkdir(parents=True)
    network.save_pretrained(folder / kind)
    tokenizer.save_pretrained(folder / kind)

    encoder = load_encoder(Pretrained(str(folder / kind), "main"), max_length=max_length)
    validation = [Post(text=text, label=number % 2) for number, text in enumerate(texts)]
    exported = export(encoder, validation, Hyperparameters(recipe="bert"), folder / kind / "model")
    theirs = AutoTokenizer.from_pretrained(folder / kind)
    controls = set(theirs.all_special_ids) - {theirs.unk_token_id}
    tokens = []
    for text in texts:
        quoted = any(token in text for token in theirs.all_special_tokens)
        ids = theirs(text, truncation=True, max_length=max_length, **({"split_special_tokens": True} if quoted else {}))
        ids = ids["input_ids"]
        tokens.append([ids[0], *(token for token in ids[1:-1] if not quoted or token not in controls), ids[-1]])
    (folder / kind / "tokens.json").write_text(json.dumps(tokens))
    manifest = {"manifest_version": 1, "preprocessing": exported.preprocessing, "precision": exported.precision,
        "network": exported.network, "probabilities": exported.probabilities(texts[:40]).tolist()}
    (folder / kind / "model" / "manifest.json").write_text(json.dumps(manifest))

    # A student reads fewer tokens: those of some of the texts alone.
    some = texts[:200]
    student, _ = student_of(encoder, some, layers=4, width=256)
    size = student.network.config.vocab_size
    names = [student.tokenizer.id_to_token(number) for number in range(size)]
    whole = [encoder.tokenizer.token_to_id(name) for name in names]
    ids = lambda of, text: of.encode([text])["input_ids"][0].tolist()
    same = [[whole[number] for number in ids(student, text)] == ids(encoder, text) for text in some]
    others = max(int(student.encode([text])["input_ids"].max()) for text in texts)
    (folder / kind / "student.json").write_text(json.dumps({"same": same, "of": len(whole), "largest": others,
        "tokens": encoder.network.config.vocab_size}))
"""


def _texts() -> list[str]:
    """Posts as nobody writes them: the same ones at each run."""
    chance = random.Random(5)
    pieces = [
        *(
            "hello",
            "I'm",
            "don't",
            "WORLD",
            "naïve",
            "Ünïcödé",
            "e\u0301",
            "12,345.6",
            "@user",
            "#tag",
            "https://a.b/c?d=e",
        ),
        *("授乳で", "悩んで", "いますか", "ｶﾞｯｺｳ", "㍿", "龘", "한국어", "中文", "ไทย", "עברית", "العربية", "ﷺ"),
        *(
            "🙂",
            "👩\u200d👩\u200d👧",
            "🏳️\u200d🌈",
            "🇯🇵",
            "\u0301",
            "\u3099",
            "\u20dd\u0315",
            "\ufe0f",
            "\u200b",
            "\u202e",
            "\ufeff",
        ),
        *("\x00", "\x1c", "\x7f", "\x85", "\u2028", "\n", "\r\n", "\t", "\u3000", "\xa0", "  ", "\ufffd", "\U0010ffff"),
        *("[SEP]", "[CLS]", "[MASK]", "[PAD]", "</s>", "<s>", "<mask>", " <mask>", "<pad>", "<unk>", "▁", "Ġ", "##a"),
    ]
    texts = [
        *pieces,
        " ",
        "あ" * 10_000,
        "a" * 10_000,
        "a " * 5_000,
        "\u0301" * 3_000,
        "🙂" * 5_000,
        " " * 10_000 + "b",
    ]
    for _ in range(300):
        chosen = chance.choices(pieces, k=chance.randint(1, 30))
        texts.append(chance.choice(["", " "]).join(chosen))
    for _ in range(100):
        texts.append("".join(chr(chance.choice([*range(0xD800), *range(0xE000, 0x11000)])) for _ in range(20)))
    return texts


TEXTS = _texts()


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each type."""
    folder = tmp_path_factory.mktemp("encoders")
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    _run(MAKE, str(folder), str(folder / "texts.json"), str(MAX_LENGTH))
    return folder


@pytest.mark.parametrize("kind", FUSED)
def test_serves_the_tokens_of_transformers(
    encoders: Path, inference_module: Callable[[str], ModuleType], kind: str
) -> None:
    model = encoders / kind / "model"
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["preprocessing"]["kind"] == "fast_tokenizer"
    preprocessing = inference_module("preprocessing").from_manifest(manifest["preprocessing"], model)
    expected = json.loads((encoders / kind / "tokens.json").read_text())
    assert len(expected) == len(TEXTS)
    found = [row.tolist() for row in preprocessing.rows(TEXTS)]
    different = [text[:80] for text, ours, theirs in zip(TEXTS, found, expected, strict=True) if ours != theirs]
    assert different == []
    assert max(map(len, found)) == MAX_LENGTH
    # What a post says is no control token.
    controls = set(manifest["preprocessing"]["control_tokens"])
    assert not any(controls & set(row[1:-1]) for row in found)


@pytest.mark.parametrize("kind", FUSED)
def test_fuses_and_quantises_where_the_architecture_allows(
    encoders: Path, inference_module: Callable[[str], ModuleType], kind: str
) -> None:
    model = encoders / kind / "model"
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["network"] == {"model_type": kind, "layers": LAYERS, "fused_attentions": FUSED[kind]}
    operators = [node.op_type for node in onnx.load(model / "model.onnx").graph.node]
    int8 = manifest["precision"]["chosen"] == "int8"
    assert operators.count("QAttention" if int8 else "Attention") == FUSED[kind]
    assert int8 == any(operator in ("QAttention", "MatMulInteger", "DynamicQuantizeMatMul") for operator in operators)
    precision = manifest["precision"]
    holds = abs(precision["auc_int8"] - precision["auc_fp32"]) <= 0.002 and precision["agreement"] >= 0.995
    assert int8 is holds, precision
    served = inference_module("inference").Model.load(model, threads=1, batch_size=1)
    # One after the other, as each has a scale of int8 numbers of its own.
    assert np.allclose(
        [served.predict([text]).probabilities[0] for text in TEXTS[:40]], manifest["probabilities"], atol=1e-5
    )


@pytest.mark.parametrize("kind", FUSED)
def test_a_student_reads_as_its_teacher_with_fewer_tokens(encoders: Path, kind: str) -> None:
    found = json.loads((encoders / kind / "student.json").read_text())
    assert found["same"] == [True] * 200
    assert found["of"] < found["tokens"]
    assert found["largest"] < found["of"]


def test_takes_no_type_that_is_not_compared(encoders: Path) -> None:
    names = json.loads(
        _run(
            "import json, sys; sys.path.insert(0, sys.argv[1]); import pretrained_encoder as encoder\n"
            "print(json.dumps(encoder.TAKEN))"
        )
    )
    assert sorted(FUSED) == names


def test_trains_a_roberta_to_its_longest_post(
    encoders: Path, job: Path, train: Train, hyperparameters: dict[str, str]
) -> None:
    # 80 positions, of which two come before the first token's.
    given = {**hyperparameters, "pretrained_model": str(encoders / "roberta"), "max_length": "78", "epochs": "1"}
    done = train(job, given, python=BERT_PYTHON)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((job / "model" / "manifest.json").read_text())
    assert {path.name for path in (job / "model").iterdir()} == {
        "model.onnx",
        "manifest.json",
        "known_trigrams.bin",
        "tokenizer.json",
    }
    assert manifest["network"] == {"model_type": "roberta", "layers": LAYERS, "fused_attentions": LAYERS}
    assert manifest["preprocessing"]["max_length"] == 78
    assert "new_weights=none" in done.stdout


# What a training says of each spoilt copy of a checkpoint.
LOAD = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import transformers
from pretrained_encoder import load_encoder
from pretrained_files import Pretrained
from refusal import RefusalError
transformers.utils.logging.set_verbosity_error()
for name, max_length in json.loads(sys.argv[2]):
    try:
        print(load_encoder(Pretrained(name, "main"), max_length=max_length).network.config.num_labels)
    except RefusalError as refusal:
        print(refusal)
"""


def test_fails_in_one_line_when_an_encoder_cannot_be_taken(encoders: Path, tmp_path: Path) -> None:
    def copy(name: str, kind: str, file: str, **changes: object) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for path in (encoders / kind).iterdir():
            if path.is_file():
                (folder / path.name).write_bytes(path.read_bytes())
        content: dict[str, Any] = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, **changes}))
        return str(folder)

    cases = [
        (copy("gpt2", "bert", "config.json", model_type="gpt2"), 48),
        (copy("unheard of", "bert", "config.json", model_type="tomorrow"), 48),
        (str(encoders / "roberta"), 79),
        (copy("vocabulary", "bert", "config.json", vocab_size=100), 48),
        (copy("padding", "roberta", "config.json", pad_token_id=5), 48),
        (copy("deeper", "bert", "config.json", num_hidden_layers=3), 48),
        (copy("python", "bert", "tokenizer_config.json", tokenizer_class="CanineTokenizer"), 48),
        (copy("labels", "bert", "config.json", id2label={"0": "a", "1": "b", "2": "c"}), 48),
    ]
    said = _run(LOAD, json.dumps(cases)).splitlines()
    taken = "albert, bert, camembert, deberta, deberta-v2, distilbert, electra, modernbert, mpnet, roberta, xlm-roberta"
    assert said[0] == f"hyperparameter pretrained_model: {cases[0][0]!r} is a gpt2; allowed are {taken}"
    assert said[1].startswith(f"hyperparameter pretrained_model: {cases[1][0]!r} cannot be loaded (")
    assert said[2] == f"hyperparameter max_length: got 79; {cases[2][0]!r} allows 78 at most"
    assert " tokens and the network 100; give those that belong together" in said[3]
    assert said[4].endswith("pads with 1, and config.json has 5; correct one of them")
    assert " weights of its bert, or has them in another shape, such as bert.encoder.layer.2." in said[5]
    assert "is a CanineTokenizer in Python; allowed are those with a tokenizer.json, and MeCab's" in said[6]
    # A classifier of other labels makes way.
    assert said[7:] == ["new_weights=none", "2"]


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [BERT_PYTHON, "-c", program, str(CONTAINER / "training"), *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
