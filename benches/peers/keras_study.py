"""The work of `batchscope run experiments/seed_comparison.yaml --set study.seeds=1`, as a Keras script does it.

Usage: KERAS_BACKEND=... keras_study.py MOVIE_REVIEWS.csv THREADS EPOCHS {jit,graph}

Reads the IMDB reviews, splits them 60 : 20 : 20 by label, keeps the 10,000 most frequent words of the training
split, cuts and pads reviews to 200 tokens at the front, trains three arms (batch sizes 32, 128, and 256 with a
learning rate of 1e-3 * 0.9^epoch), measures validation after each epoch and the test split at the end.

Words are counted in plain Python, by the rules of Keras's TextVectorization, which needs TensorFlow; so the
script is the same on all backends. Prints a line of JSON an arm.
"""

import csv
import json
import re
import string
import sys
from collections import Counter

import keras
import numpy
from keras_setup import VOCABULARY, classifier, start

LENGTH = 200
ARMS = [("small", 32, 1.0), ("medium", 128, 1.0), ("large", 256, 0.9)]
STANDARD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, string.punctuation)


def reviews(path: str) -> tuple[list[list[str]], numpy.ndarray]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "imdb"]
    space = re.compile("[ \t\n\v\f\r]+")
    standard = (row["text"].replace("<br />", " ").translate(STANDARD) for row in rows)
    words = [[word for word in space.split(text) if word] for text in standard]
    return words, numpy.array([float(row["label"]) for row in rows], dtype=numpy.float32)


def split(labels: numpy.ndarray) -> list[numpy.ndarray]:
    """Rows of training, validation and test."""
    generator = numpy.random.default_rng(0)
    parts: list[list[numpy.ndarray]] = [[], [], []]
    for label in (0.0, 1.0):
        rows = generator.permutation(numpy.flatnonzero(labels == label))
        fifth = len(rows) // 5
        for part, found in zip(parts, (rows[2 * fifth :], rows[:fifth], rows[fifth : 2 * fifth])):
            part.append(found)
    return [generator.permutation(numpy.concatenate(part)) for part in parts]


def main(path: str, threads: str, epochs: str, mode: str) -> None:
    start(int(threads))
    words, labels = reviews(path)
    parts = split(labels)
    counts = Counter(word for row in parts[0] for word in words[row])
    ranked = sorted(counts, key=lambda word: (counts[word], word), reverse=True)[: VOCABULARY - 2]
    ids = {word: at + 2 for at, word in enumerate(ranked)}
    tokens = numpy.zeros((len(words), LENGTH), dtype=numpy.int32)
    for into, text in zip(tokens, words):
        found = [ids.get(word, 1) for word in text[-LENGTH:]]
        into[LENGTH - len(found) :] = found
    (x, y), validation, (x_test, y_test) = [(tokens[part], labels[part]) for part in parts]
    for name, batch_size, gamma in ARMS:
        keras.utils.set_random_seed(0)
        model = classifier(x)
        model.compile(
            optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"], jit_compile=mode == "jit"
        )
        decay = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 * gamma**epoch)
        history = model.fit(
            x, y, batch_size=batch_size, epochs=int(epochs), validation_data=validation, callbacks=[decay], verbose=0
        )
        _, accuracy = model.evaluate(x_test, y_test, batch_size=256, verbose=0)
        best = history.history["val_accuracy"][-1]
        print(json.dumps({"arm": name, "validation_accuracy": best, "test_accuracy": accuracy}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
