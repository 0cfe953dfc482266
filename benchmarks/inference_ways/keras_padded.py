"""The original's way, TensorFlow and Keras: `python keras_padded.py POSTS THREADS`. Tokenising is not timed.

A BERT-base written in Keras, since no release of transformers has both its TensorFlow models and a current TensorFlow.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from answering import answer_turns
from keras import layers, ops

LENGTH, VOCABULARY, LAYERS, HEADS, HIDDEN, INNER = 512, 32_000, 12, 12, 768, 3072

tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))


class Embeddings(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.words = layers.Embedding(VOCABULARY, HIDDEN)
        self.positions = layers.Embedding(LENGTH, HIDDEN)
        self.segments = layers.Embedding(2, HIDDEN)
        self.norm = layers.LayerNormalization(epsilon=1e-12)

    def call(self, ids: object) -> object:
        summed = self.words(ids) + self.positions(ops.arange(LENGTH)) + self.segments(ops.zeros_like(ids))
        return self.norm(summed)


def bert() -> keras.Model:
    ids = keras.Input((LENGTH,), dtype="int32")
    mask = keras.Input((LENGTH,), dtype="bool")
    states = Embeddings()(ids)
    attended = layers.Reshape((1, LENGTH))(mask)
    for _ in range(LAYERS):
        attention = layers.MultiHeadAttention(HEADS, HIDDEN // HEADS)(states, states, attention_mask=attended)
        states = layers.LayerNormalization(epsilon=1e-12)(states + attention)
        inner = layers.Dense(HIDDEN)(layers.Dense(INNER, activation="gelu")(states))
        states = layers.LayerNormalization(epsilon=1e-12)(states + inner)
    pooled = layers.Dense(HIDDEN, activation="tanh")(states[:, 0])
    return keras.Model([ids, mask], layers.Dense(2, activation="softmax")(pooled))


network = bert()


def predict(token_ids: list[int]) -> object:
    ids = np.zeros((1, LENGTH), dtype=np.int32)
    ids[0, : len(token_ids)] = token_ids
    return network.predict_on_batch([ids, ids > 0])  # `predict` itself would be slower still


answer_turns(Path(sys.argv[1]), predict)
