"""Writes codes.safetensors: a small Boltzmann machine, rows, and what NumPy computes of them in float64.

tests/core/encoders/rbm_test.cc reads it. Run it in this directory to write the file anew.
"""
import json
import struct

import numpy as np

rng = np.random.default_rng(20020801)
units, width, rows = 11, 9, 5
tensors = {
    "atoms": rng.normal(0, 1, (units, width)).astype(np.float32),
    "bias": rng.normal(0, 1, units).astype(np.float32),
    "decoder_bias": rng.normal(0, 1, width).astype(np.float32),
    "rows": rng.uniform(0, 1, (rows, width)).astype(np.float32),
}
w, b, c, x = (tensors[name].astype(np.float64) for name in ("atoms", "bias", "decoder_bias", "rows"))
a = x @ w.T + b
h = 1 / (1 + np.exp(-a))
tensors["codes"] = h.astype(np.float32)
tensors["reconstructions"] = (1 / (1 + np.exp(-(h @ w + c)))).astype(np.float32)
tensors["free_energies"] = (-x @ c - np.logaddexp(0, a).sum(axis=1)).astype(np.float32)

header, data = {}, b""
for name in sorted(tensors):
    piece = tensors[name].tobytes()
    header[name] = {"dtype": "F32", "shape": tensors[name].shape, "data_offsets": [len(data), len(data) + len(piece)]}
    data += piece
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("codes.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
