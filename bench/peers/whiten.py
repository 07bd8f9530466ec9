"""Dense, real-valued inputs: whitened colour images and whitened patches of them.

    python whiten.py DIR

Reads DIR/cifar10.npy (u8 [rows, 3072]). Without it, makes each colour image from three grey images of DIR/images.npy.
Writes DIR/colour.npy, f32 [5000, 3072], and DIR/patches.npy, f32 [40000, 768] of 3 x 16 x 16 pixels. Whitening is ZCA:
with the covariance C = E diag(d) E', x becomes E diag((d + 0.1 mean d)^-1/2) E' (x - mean), scaled so that rows have
length 10 on average, as images of digits have.
"""

import os
import sys

import numpy as np

ROW_LENGTH = 10
REGULARISATION = 0.1


def colour_images(folder, rows):
    path = os.path.join(folder, "cifar10.npy")
    if os.path.exists(path):
        return np.load(path, mmap_mode="r")[:rows].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    grey = np.load(os.path.join(folder, "images.npy"))
    which = np.random.default_rng(1).integers(len(grey), size=(rows, 3))
    images = np.zeros((rows, 3, 32, 32), np.float32)
    images[:, :, 2:30, 2:30] = grey[which].reshape(rows, 3, 28, 28) / 255
    return images


def whiten(rows):
    rows = rows - rows.mean(0)
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    scale = 1 / np.sqrt(np.maximum(variances, 0) + REGULARISATION * variances.mean())
    rows = rows @ ((directions * scale) @ directions.T).astype(np.float32)
    return rows * (ROW_LENGTH / np.linalg.norm(rows, axis=1).mean())


def patches(images, count, size):
    random = np.random.default_rng(2)
    result = np.empty((count, 3, size, size), np.float32)
    for i, (image, y, x) in enumerate(
        zip(random.integers(len(images), size=count), *random.integers(32 - size + 1, size=(2, count)))
    ):
        result[i] = images[image, :, y : y + size, x : x + size]
    return result.reshape(count, -1)


def main(folder):
    images = colour_images(folder, 20000)
    np.save(os.path.join(folder, "patches.npy"), whiten(patches(images, 40000, 16)))
    np.save(os.path.join(folder, "colour.npy"), whiten(images[:5000].reshape(5000, -1)))


if __name__ == "__main__":
    main(sys.argv[1])
