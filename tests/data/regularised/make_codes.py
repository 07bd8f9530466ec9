"""Writes codes.safetensors: a small model of each activation, rows, and the codes that NumPy computes in float64.

tests/core/encoders/regularised_test.cc reads it. Run it in this directory to write the file anew.
"""
import json
import struct

import numpy as np

rng = np.random.default_rng(20160101)
units, width, rows = 11, 9, 5
tensors = {
    "atoms": rng.normal(0, 0.5, (units, width)).astype(np.float32),
    "bias": rng.normal(0, 0.5, units).astype(np.float32),
    "decoder_bias": rng.normal(0, 0.5, width).astype(np.float32),
    "mean": rng.normal(0, 1, width).astype(np.float32),
    "rows": rng.normal(0, 1, (rows, width)).astype(np.float32),
}
wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
a = (wide["rows"] - wide["mean"]) @ wide["atoms"].T + wide["bias"]
codes = {"relu": np.maximum(a, 0), "sigmoid": 1 / (1 + np.exp(-a)), "softplus": np.log1p(np.exp(a))}
for name, h in codes.items():
    tensors[f"{name}.codes"] = h.astype(np.float32)
    tensors[f"{name}.reconstructions"] = (h @ wide["atoms"] + wide["decoder_bias"] + wide["mean"]).astype(np.float32)

header, data = {}, b""
for name in sorted(tensors):
    piece = tensors[name].tobytes()
    header[name] = {"dtype": "F32", "shape": tensors[name].shape, "data_offsets": [len(data), len(data) + len(piece)]}
    data += piece
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("codes.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
