"""Trains a small neural network on digit images below /data/label=<label>/ and writes it to /out.

The images are 8-bit greyscale PNG files. A fifth of them, chosen by a hash of the file's name, is held out: it takes
no part in training or in any choice, and the accuracy that is reported is measured on it once, after the last epoch.
"""

import hashlib
import json
import os
import pathlib
import re
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

DATA = pathlib.Path(os.environ.get("DATA_DIR", "/data"))
OUT = pathlib.Path(os.environ.get("OUT_DIR", "/out"))
EPOCHS = int(os.environ.get("EPOCHS", "40"))
HIDDEN = 128
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2


def is_held_out(name):
    """One file in five, by its name alone: the same files whatever the order or number of files."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 5 == 0


def load(directory):
    """Reads every image; returns pixels in 0..1, labels, and which rows are held out."""
    pixels, labels, held_out = [], [], []
    for file in sorted(directory.rglob("*.png")):
        label = re.fullmatch(r"label=(\d)", file.parent.name)
        if label is None:
            sys.exit(f"{file}: expected a parent directory label=<digit>")
        with Image.open(file) as image:
            pixels.append(np.asarray(image.convert("L"), dtype=np.float32).ravel() / 255)
        labels.append(int(label[1]))
        held_out.append(is_held_out(file.name))
    if not pixels:
        sys.exit(f"no image below {directory}")
    return np.stack(pixels), np.array(labels), np.array(held_out)


def initialise(key, sizes):
    """One (weights, bias) pair per layer, scaled for ReLU."""
    layers = []
    for key, (rows, columns) in zip(jax.random.split(key, len(sizes) - 1), zip(sizes, sizes[1:])):
        layers.append((jax.random.normal(key, (rows, columns)) * jnp.sqrt(2 / rows), jnp.zeros(columns)))
    return layers


def logits(layers, x):
    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    weights, bias = layers[-1]
    return x @ weights + bias


def loss(layers, x, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(layers, x)), y[:, None], axis=1))


@jax.jit
def step(layers, first, second, count, x, y):
    """One step of Adam with decoupled weight decay."""
    value, gradient = jax.value_and_grad(loss)(layers, x, y)
    count += 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)

    def move(p, m, v):
        adam = (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return p - LEARNING_RATE * (adam + WEIGHT_DECAY * p)

    return jax.tree.map(move, layers, first, second), first, second, count, value


@jax.jit
def accuracy(layers, x, y):
    return jnp.mean(jnp.argmax(logits(layers, x), axis=1) == y)


def main():
    began = time.monotonic()
    pixels, labels, held_out = load(DATA)
    x, y = pixels[~held_out], labels[~held_out]
    print(f"read {len(pixels)} images of {pixels.shape[1]} pixels in {time.monotonic() - began:.1f} s: "
          f"{len(x)} to train on, {held_out.sum()} held out", flush=True)

    layers = initialise(jax.random.key(0), (pixels.shape[1], HIDDEN, HIDDEN, 10))
    first = jax.tree.map(jnp.zeros_like, layers)
    second = jax.tree.map(jnp.zeros_like, layers)
    count = jnp.zeros((), jnp.float32)
    order = np.random.default_rng(0)
    for epoch in range(1, EPOCHS + 1):
        values = []
        rows = order.permutation(len(x))
        for start in range(0, max(len(rows) - BATCH, 0) + 1, BATCH):
            batch = rows[start : start + BATCH]
            layers, first, second, count, value = step(layers, first, second, count, x[batch], y[batch])
            values.append(value)
        print(f"epoch {epoch}/{EPOCHS} loss {float(np.mean(values)):.4f} "
              f"training accuracy {float(accuracy(layers, x, y)):.4f}", flush=True)

    result = float(accuracy(layers, pixels[held_out], labels[held_out]))
    seconds = time.monotonic() - began
    OUT.mkdir(parents=True, exist_ok=True)
    np.savez(OUT / "model.npz", **{f"{name}{i}": np.asarray(part)
                                   for i, layer in enumerate(layers) for name, part in zip(("weights", "bias"), layer)})
    metrics = {
        "accuracy": result,
        "trainingAccuracy": float(accuracy(layers, x, y)),
        "images": len(pixels),
        "heldOut": int(held_out.sum()),
        "epochs": EPOCHS,
        "seconds": round(seconds, 2),
        "library": f"jax {jax.__version__}",
    }
    (OUT / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"held-out accuracy {result:.4f} on {held_out.sum()} images after {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
