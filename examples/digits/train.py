"""Train a small convolutional network on scikit-learn's 8x8 handwritten digits.

    python examples/digits/train.py build/digits

writes digits.keras, calibration.npz, test.npz, metrics.json and tinyml.toml into the folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tinyml.project import write_project

SEED = 7
TEST_SAMPLES = 400
CALIBRATION_SAMPLES = 200


def build() -> keras.Model:
    """About 5000 weights: convolution, depthwise block with a shortcut, pooling, mean, dense."""
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    y = layers.Conv2D(16, 1, name="pointwise")(y)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digits")


def digits() -> tuple[np.ndarray, ...]:
    """Train and test images (N, 8, 8, 1), pixels 0..16 scaled to 0..1, and their labels."""
    data = load_digits()
    images = (data.images / 16.0).astype(np.float32)[..., np.newaxis]
    parts = train_test_split(
        images, data.target, test_size=TEST_SAMPLES, random_state=SEED, stratify=data.target
    )
    return tuple(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=25)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(SEED)
    train, test, train_labels, test_labels = digits()
    model = build()
    steps = arguments.epochs * -(-len(train) // 32)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(train, train_labels, batch_size=32, epochs=arguments.epochs, verbose=0)

    predicted = model.predict(test, verbose=0).argmax(axis=1)
    accuracy = float(np.mean(predicted == test_labels))
    model.save(folder / "digits.keras")
    np.savez(folder / "calibration.npz", image=train[:CALIBRATION_SAMPLES])
    np.savez(folder / "test.npz", image=test, labels=test_labels.astype(np.int64))
    metrics = {
        "float_accuracy": round(accuracy, 4),
        "parameters": model.count_params(),
        "test_samples": len(test),
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_project(folder / "digits.keras", board="stm32", force=True)
    print(f"float accuracy {accuracy:.2%} on {len(test)} held-out digits; wrote {folder}")


if __name__ == "__main__":
    main()
