"""The arrays that both sides work on. work_bench writes them; this module reads them."""

import os

import numpy as np
import torch


class Inputs:
    def __init__(self, folder, threads):
        self.folder = folder
        self.threads = threads

    def array(self, name):
        return np.load(os.path.join(self.folder, name + ".npy"))

    def rows(self, work):
        """Returns rows as float32 (bytes divided by 255), or as bytes if the work says dtype=u8."""
        stored = self.array(work.get("data", "images"))
        if work.get("dtype") != "u8" and stored.dtype == np.uint8:
            stored = stored.astype(np.float32) / 255
        return torch.from_numpy(stored)

    def weights(self, model):
        """Returns the tensors of DIR/MODEL by name."""
        folder = os.path.join(self.folder, model)
        return {
            name.removesuffix(".npy"): torch.from_numpy(np.load(os.path.join(folder, name)))
            for name in os.listdir(folder)
        }


class Batches:
    """Consecutive batches of some rows, which start again when they run out."""

    def __init__(self, rows, size):
        self.all = rows
        self.size = min(size, len(rows))
        self.next = 0

    def __call__(self):
        if self.next + self.size > len(self.all):
            self.next = 0
        batch = self.all[self.next : self.next + self.size]
        self.next += self.size
        return batch
