from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

Load = Callable[[str], ModuleType]

TEXTS = ["the baby sleeps at night", "at night the baby cries", "a nursery for the baby", "night after night"]
OTHER = ["nursing babies", "the the thenight", "zzz ünknown", ""]
NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def _learnt(kind: str) -> Tokenizer:
    kinds: dict[str, tuple[Any, Callable[..., Any], Any]] = {
        "WordPiece": (models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer, pre_tokenizers.Whitespace()),
        "BPE": (models.BPE(), trainers.BpeTrainer, pre_tokenizers.ByteLevel()),
        "Unigram": (
            models.Unigram(),
            lambda **given: trainers.UnigramTrainer(unk_token="[UNK]", **given),
            pre_tokenizers.Metaspace(),
        ),
    }
    model, trainer, before = kinds[kind]
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = before
    learn = trainer(vocab_size=400, show_progress=False, special_tokens=NAMES)
    tokenizer.train_from_iterator(
        [*TEXTS, "more words that no post will hold, whatever happens: elephants, umbrellas"] * 9, learn
    )

    def at(token: str) -> int:
        number = tokenizer.token_to_id(token)
        assert number is not None
        return number

    tokenizer.post_processor = (
        processors.RobertaProcessing(("[SEP]", at("[SEP]")), ("[CLS]", at("[CLS]")))
        if kind == "BPE"
        else processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(token, at(token)) for token in ("[CLS]", "[SEP]")]
        )
    )
    tokenizer.enable_padding(pad_id=at("[PAD]"), pad_token="[PAD]")
    return tokenizer


@pytest.mark.parametrize("kind", ["WordPiece", "BPE", "Unigram"])
def test_cuts_the_posts_as_before_with_fewer_tokens(load: Load, kind: str) -> None:
    whole = _learnt(kind)
    used = {number for text in TEXTS for number in whole.encode(text).ids}
    pruned, former = load("pruned_vocabulary").prune(whole, used)
    assert len(former) == pruned.get_vocab_size() < whole.get_vocab_size()
    for text in TEXTS:
        assert [former[number] for number in pruned.encode(text).ids] == whole.encode(text).ids, text
        assert pruned.encode(text).tokens == whole.encode(text).tokens
    # Filled up with the same token, under its new number.
    rows = [encoding.ids for encoding in pruned.encode_batch([TEXTS[0], "a"])]
    assert former[rows[1][-1]] == whole.token_to_id("[PAD]")


@pytest.mark.parametrize("kind", ["WordPiece", "BPE", "Unigram"])
def test_cuts_other_posts_into_smaller_pieces(load: Load, kind: str) -> None:
    whole = _learnt(kind)
    used = {number for number in whole.encode(TEXTS[0]).ids}
    pruned, _ = load("pruned_vocabulary").prune(whole, used)
    unknown = pruned.token_to_id("[UNK]")
    for text in [*TEXTS, *OTHER]:
        before, after = whole.encode(text), pruned.encode(text)
        assert len(after.ids) >= len(before.ids)
        assert (unknown in after.ids) is (whole.token_to_id("[UNK]") in before.ids), text


@pytest.mark.parametrize("unknown", [2, 5])
def test_leaves_a_tokenizer_of_another_kind_whole(load: Load, unknown: int) -> None:
    whole = Tokenizer(models.WordLevel({"a": 0, "b": 1, "[UNK]": unknown}, unk_token="[UNK]"))
    pruned, former = load("pruned_vocabulary").prune(whole, {0})
    # A row for each number, even where no token has it.
    assert former == list(range(unknown + 1))
    assert pruned.to_str() == whole.to_str()
