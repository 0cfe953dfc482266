"""Recipe `linear`: character n-grams, TF-IDF, logistic regression. It takes seconds on a laptop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from exported_model import ExportedModel
from hyperparameters import Hyperparameters
from onnx import TensorProto, helper, numpy_helper
from posts import Post
from refusal import RefusalError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from text_normalisation import normalise

LONGEST_NGRAM = 4
LARGEST_VOCABULARY = 50_000
NORMALISATION = ("nfkc", "lower", "strip_nul", "collapse_whitespace")


def train(
    posts: Sequence[Post], validation: Sequence[Post], hyperparameters: Hyperparameters, folder: Path
) -> ExportedModel:
    """Fit on `posts` and write model.onnx into `folder`; `validation` serves to check the export.

    Raises:
        RefusalError: no n-gram occurs in two posts, or the export's predictions differ from the fitted model's.
    """
    vectorizer = TfidfVectorizer(
        analyzer="char",
        lowercase=False,  # done by `normalise`
        ngram_range=(1, LONGEST_NGRAM),
        min_df=2,
        max_features=LARGEST_VOCABULARY,
    )
    try:
        features = vectorizer.fit_transform([normalise(post.text, NORMALISATION) for post in posts])
    except ValueError:
        raise RefusalError("channel train: no character occurs in two posts; give more posts") from None
    print(f"ngrams={len(vectorizer.vocabulary_)}", flush=True)
    classifier = LogisticRegression(C=10, class_weight="balanced", max_iter=1000, random_state=hyperparameters.seed)
    classifier.fit(features, [post.label for post in posts])

    path = folder / "model.onnx"
    onnx.save(_to_onnx(vectorizer, classifier), path)
    exported = ExportedModel.load(
        path, encode=encode_code_points, preprocessing={"kind": "code_points", "normalisation": list(NORMALISATION)}
    )
    texts = [post.text for post in validation]
    expected = classifier.predict_proba(vectorizer.transform([normalise(text, NORMALISATION) for text in texts]))[:, 1]
    exported.check_against(texts, expected)
    return exported


def encode_code_points(texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Return one row of Unicode code points per text, padded with 0, which is in no n-gram of the vocabulary."""
    normalised = [normalise(text, NORMALISATION) for text in texts]
    rows = np.zeros((len(texts), max(1, *map(len, normalised))), dtype=np.int64)
    for row, text in zip(rows, normalised, strict=True):
        row[: len(text)] = [ord(character) for character in text]
    return {"code_points": rows}


def _to_onnx(vectorizer: TfidfVectorizer, classifier: LogisticRegression) -> onnx.ModelProto:
    """Convert vocabulary and weights to standard ONNX operators, so that serving needs no scikit-learn.

    Each n-gram's feature index equals its index in the pool: ONNX Runtime 1.26, in the GPU image, reads an n-gram's
    weight at its feature index, which is another n-gram's weight if the two differ
    (https://github.com/microsoft/onnxruntime/pull/31700).
    """
    by_length: list[list[tuple[str, int]]] = [[] for _ in range(LONGEST_NGRAM)]
    for ngram, column in sorted(vectorizer.vocabulary_.items()):
        by_length[len(ngram) - 1].append((ngram, int(column)))
    pool: list[int] = []
    starts: list[int] = []
    columns: list[int] = []
    for ngrams in by_length:
        starts.append(len(pool))
        for ngram, column in ngrams:
            pool.extend(ord(character) for character in ngram)
            columns.append(column)
    nodes = [
        helper.make_node(
            "TfIdfVectorizer",
            ["code_points"],
            ["weighted_counts"],
            mode="TFIDF",
            min_gram_length=1,
            max_gram_length=LONGEST_NGRAM,
            max_skip_count=0,
            pool_int64s=pool,
            ngram_counts=starts,
            ngram_indexes=list(range(len(columns))),
            weights=[float(vectorizer.idf_[column]) for column in columns],
        ),
        helper.make_node("LpNormalization", ["weighted_counts"], ["features"], axis=1, p=2),
        helper.make_node("MatMul", ["features", "coefficients"], ["product"]),
        helper.make_node("Add", ["product", "intercept"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["column"]),
        helper.make_node("Squeeze", ["column", "column_axis"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("code_points", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
        [
            numpy_helper.from_array(classifier.coef_.T[columns].astype(np.float32), "coefficients"),
            numpy_helper.from_array(classifier.intercept_.astype(np.float32), "intercept"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "column_axis"),
        ],
    )
    # The oldest versions with these operators, so that every recent ONNX Runtime can read the model.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
