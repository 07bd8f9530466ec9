"""Writes codes.safetensors: a small model, rows, and the codes and reconstructions that NumPy computes in float64.

tests/core/encoders/dropout_test.cc reads it. Run it in this directory to write the file anew.
"""
import json
import struct

import numpy as np

rng = np.random.default_rng(20120703)
units, width, rows = 11, 9, 5
tensors = {
    "atoms": rng.normal(0, 0.5, (units, width)).astype(np.float32),
    "bias": rng.normal(0, 0.5, units).astype(np.float32),
    "decoder_bias": rng.normal(0, 0.5, width).astype(np.float32),
    "rows": rng.uniform(0, 1, (rows, width)).astype(np.float32),
}
wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
a = wide["rows"] @ wide["atoms"].T + wide["bias"]
# Encoding uses all units, unscaled: training scales those that it keeps.
codes = {"relu": np.maximum(a, 0), "sigmoid": 1 / (1 + np.exp(-a)), "softplus": np.log1p(np.exp(a))}
for name, h in codes.items():
    y = h @ wide["atoms"] + wide["decoder_bias"]
    tensors[f"{name}.codes"] = h.astype(np.float32)
    tensors[f"{name}.linear"] = y.astype(np.float32)
    tensors[f"{name}.squashed"] = (1 / (1 + np.exp(-y))).astype(np.float32)

header, data = {}, b""
for name in sorted(tensors):
    piece = tensors[name].tobytes()
    header[name] = {"dtype": "F32", "shape": tensors[name].shape, "data_offsets": [len(data), len(data) + len(piece)]}
    data += piece
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("codes.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
