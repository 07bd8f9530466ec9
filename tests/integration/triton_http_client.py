"""What a user of tritonclient[http] does, against a server of kwta: ADDRESS MODEL WIDTH UNITS K TUNED.

The model is k-sparse and has versions 1 and 2; TUNED was fine-tuned to ten classes. Ends with an AssertionError if
something is not as a client expects.
"""

import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

address, model, width, units, k, tuned = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), sys.argv[6]
client = triton.InferenceServerClient(address)
rows = np.random.default_rng(1).random((3, width), dtype=np.float32)


def input_of(array, datatype, binary=True):
    tensor = triton.InferInput("input", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def expect(code, call):
    try:
        call()
    except InferenceServerException as error:
        assert error.status() == str(code), (error.status(), error.message())
        return error.message()
    raise AssertionError(f"expected {code}")


assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
assert client.is_model_ready(model, "1") and client.is_model_ready(model, "canary")
assert not client.is_model_ready("nobody")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
metadata = client.get_model_metadata(model)
assert metadata["versions"] == ["1", "2"], metadata
assert metadata["inputs"][0]["shape"] == [-1, width] and metadata["outputs"][0]["shape"] == [-1, units]
config = client.get_model_config(model)
assert config["max_batch_size"] > 0 and config["input"][0]["dims"] == [width], config

# Everything, as binary data and as JSON: the same numbers.
result = client.infer(model, [input_of(rows, "FP32")], request_id="7")
assert result.get_response()["id"] == "7" and result.get_response()["model_version"] == "2"
features, indices, values = (result.as_numpy(name) for name in ("features", "indices", "values"))
assert features.shape == (3, units) and indices.shape == values.shape == (3, k)
assert np.array_equal(np.take_along_axis(features, indices.astype(np.int64), axis=1), values)
as_json = [triton.InferRequestedOutput(name, binary_data=False) for name in ("features", "indices", "values")]
result = client.infer(model, [input_of(rows, "FP32", binary=False)], outputs=as_json)
assert np.array_equal(result.as_numpy("features"), features) and np.array_equal(result.as_numpy("indices"), indices)
mixed = [triton.InferRequestedOutput("indices", binary_data=True), triton.InferRequestedOutput("values", binary_data=False)]
result = client.infer(model, [input_of(rows, "FP32")], outputs=mixed)
assert np.array_equal(result.as_numpy("indices"), indices) and np.array_equal(result.as_numpy("values"), values)

# Versions, labels, parameters and other types of elements.
result = client.infer(model, [input_of(rows, "FP32")], model_version="1", parameters={"k": 2})
assert result.as_numpy("values").shape == (3, 2) and result.get_response()["model_version"] == "1"
assert client.infer(model, [input_of(rows, "FP32")], model_version="canary").get_response()["model_version"] == "2"
assert client.infer(model, [input_of(rows, "FP32")], parameters={"alpha": 2.0}).as_numpy("indices").shape == (3, 2 * k)
pixels = (rows * 255).round().astype(np.uint8)
of_bytes = client.infer(model, [input_of(pixels, "UINT8")]).as_numpy("features")
of_numbers = client.infer(model, [input_of(pixels, "UINT8", binary=False)]).as_numpy("features")
assert np.array_equal(of_bytes, of_numbers)
assert client.infer(model, [input_of(rows.astype(np.float16), "FP16")]).as_numpy("features").shape == (3, units)

# Classes of a fine-tuned model; many rows; asynchronous calls.
for binary in (True, False):
    best = [triton.InferRequestedOutput("features", class_count=3, binary_data=binary)]
    classes = client.infer(tuned, [input_of(rows, "FP32")], outputs=best).as_numpy("features")
    assert classes.shape == (3, 3), classes.shape
assert "no classes" in expect(501, lambda: client.infer(model, [input_of(rows, "FP32")], outputs=best))
many = np.repeat(rows, 200, axis=0)
repeated = np.repeat(features, 200, axis=0)
assert np.array_equal(client.infer(model, [input_of(many, "FP32")]).as_numpy("features"), repeated)
assert np.array_equal(client.async_infer(model, [input_of(rows, "FP32")]).get_result().as_numpy("features"), features)

# Errors.
assert "nobody" in expect(404, lambda: client.infer("nobody", [input_of(rows, "FP32")]))
expect(404, lambda: client.infer(model, [input_of(rows, "FP32")], model_version="9"))
assert "takes rows of" in expect(400, lambda: client.infer(model, [input_of(rows[:, 1:].copy(), "FP32")]))
assert "NaN" in expect(400, lambda: client.infer(model, [input_of(rows * np.nan, "FP32")]))
zeroed = client.infer(model, [input_of(rows * np.nan, "FP32")], parameters={"non_finite": "zero"})
assert zeroed.get_response()["parameters"] == {"zeroed_elements": rows.size}
assert np.array_equal(zeroed.as_numpy("features"), client.infer(model, [input_of(rows * 0, "FP32")]).as_numpy("features"))
for packing in ("gzip", "deflate"):
    packed = lambda: client.infer(model, [input_of(rows, "FP32")], request_compression_algorithm=packing)
    assert "--accept-compression" in expect(415, packed)
assert "shared memory is not served" in expect(501, client.get_system_shared_memory_status)
assert "traces are not served" in expect(501, client.get_trace_settings)

# Statistics and the repository.
statistics = client.get_inference_statistics(model, "2")["model_stats"][0]
assert statistics["inference_count"] >= 600 and statistics["inference_stats"]["success"]["count"] >= 8
index = {(entry["name"], entry["version"]): entry["state"] for entry in client.get_model_repository_index()}
assert index[(model, "1")] == index[(model, "2")] == "READY", index
before = client.infer(tuned, [input_of(rows, "FP32")]).as_numpy("features")
client.unload_model(tuned)
assert not client.is_model_ready(tuned)
expect(503, lambda: client.infer(tuned, [input_of(rows, "FP32")]))
client.load_model(tuned)
assert np.array_equal(client.infer(tuned, [input_of(rows, "FP32")]).as_numpy("features"), before)
print("tritonclient", triton.__name__, "works")
