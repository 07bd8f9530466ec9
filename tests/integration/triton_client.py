"""What a user of tritonclient does, against a server of kwta: ADDRESS MODEL WIDTH UNITS K TUNED.

The model is k-sparse and has versions 1 and 2; TUNED was fine-tuned to ten classes. Ends with an AssertionError if
something is not as a client expects.
"""

import queue
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

address, model, width, units, k, tuned = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), sys.argv[6]
client = triton.InferenceServerClient(address)
rows = np.random.default_rng(1).random((3, width), dtype=np.float32)


def input_of(array, datatype):
    tensor = triton.InferInput("input", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def expect(code, call):
    try:
        call()
    except InferenceServerException as error:
        assert error.status() == f"StatusCode.{code}", (error.status(), error.message())
        return error.message()
    raise AssertionError(f"expected {code}")


assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
assert client.is_model_ready(model, "1") and client.is_model_ready(model, "canary")
assert not client.is_model_ready("nobody")
assert "statistics" in client.get_server_metadata().extensions

metadata = client.get_model_metadata(model)
assert list(metadata.versions) == ["1", "2"], metadata.versions
assert [tensor.name for tensor in metadata.outputs] == ["features", "indices", "values"]
assert list(metadata.inputs[0].shape) == [-1, width] and list(metadata.outputs[0].shape) == [-1, units]
config = client.get_model_config(model).config
assert config.max_batch_size > 0 and list(config.input[0].dims) == [width] and config.HasField("dynamic_batching")
assert not config.model_transaction_policy.decoupled

# Everything, and what is in it.
result = client.infer(model, [input_of(rows, "FP32")], request_id="7")
response = result.get_response()
assert response.id == "7" and response.model_version == "2"
features, indices, values = (result.as_numpy(name) for name in ("features", "indices", "values"))
assert features.shape == (3, units) and indices.shape == values.shape == (3, k)
assert indices.dtype == np.int32 and features.dtype == np.float32
assert np.array_equal(np.take_along_axis(features, indices.astype(np.int64), axis=1), values)
assert np.count_nonzero(features) <= 3 * k

# Chosen outputs, versions, labels and parameters.
wanted = [triton.InferRequestedOutput("indices"), triton.InferRequestedOutput("values")]
result = client.infer(model, [input_of(rows, "FP32")], outputs=wanted, model_version="1", parameters={"k": 2})
assert result.as_numpy("values").shape == (3, 2) and result.get_response().model_version == "1"
assert result.as_numpy("features") is None
assert client.infer(model, [input_of(rows, "FP32")], model_version="canary").get_response().model_version == "2"
assert client.infer(model, [input_of(rows, "FP32")], outputs=wanted, parameters={"k": "3"}).as_numpy("values").shape == (3, 3)
doubled = client.infer(model, [input_of(rows, "FP32")], outputs=wanted, parameters={"alpha": 2.0})
assert doubled.as_numpy("indices").shape == (3, 2 * k)

# Other types of elements: bytes are pixels, halves are rounded.
pixels = (rows * 255).round().astype(np.uint8)
of_bytes = client.infer(model, [input_of(pixels, "UINT8")]).as_numpy("features")
of_floats = client.infer(model, [input_of(pixels.astype(np.float32) / 255, "FP32")]).as_numpy("features")
assert np.allclose(of_bytes, of_floats, atol=1e-5)
halves = client.infer(model, [input_of(rows.astype(np.float16), "FP16")]).as_numpy("features")
assert halves.shape == (3, units)

# Classes of a fine-tuned model, the best first.
best = [triton.InferRequestedOutput("features", class_count=3)]
classes = client.infer(tuned, [input_of(rows, "FP32")], outputs=best).as_numpy("features")
assert classes.shape == (3, 3), classes.shape
for row in classes:
    scores, numbers = zip(*((float(score), int(number)) for score, number in (text.decode().split(":") for text in row)))
    assert list(scores) == sorted(scores, reverse=True) and len(set(numbers)) == 3 and max(numbers) < 10, row
assert "no classes" in expect("UNIMPLEMENTED", lambda: client.infer(model, [input_of(rows, "FP32")], outputs=best))

# Many rows are split into batches; asynchronous calls; a stream.
many = np.repeat(rows, 200, axis=0)
assert np.array_equal(client.infer(model, [input_of(many, "FP32")]).as_numpy("features"), np.repeat(features, 200, axis=0))
answers = queue.Queue()
client.async_infer(model, [input_of(rows, "FP32")], lambda result, error: answers.put((result, error)))
result, error = answers.get(timeout=60)
assert error is None and np.array_equal(result.as_numpy("features"), features)
client.start_stream(lambda result, error: answers.put((result, error)))
for number in range(20):
    client.async_stream_infer(model if number != 5 else "nobody", [input_of(rows, "FP32")], request_id=str(number))
for number in range(20):
    result, error = answers.get(timeout=60)
    assert (error is not None) == (number == 5), (number, error)
    if error is None:
        assert result.get_response().parameters["triton_final_response"].bool_param
        assert result.get_response().id == str(number) and np.array_equal(result.as_numpy("features"), features)
client.stop_stream()

# Errors.
assert "nobody" in expect("NOT_FOUND", lambda: client.infer("nobody", [input_of(rows, "FP32")]))
expect("NOT_FOUND", lambda: client.infer(model, [input_of(rows, "FP32")], model_version="9"))
assert "takes rows of" in expect("INVALID_ARGUMENT", lambda: client.infer(model, [input_of(rows[:, 1:].copy(), "FP32")]))
assert "NaN" in expect("INVALID_ARGUMENT", lambda: client.infer(model, [input_of(rows * np.nan, "FP32")]))
zeroed = client.infer(model, [input_of(rows * np.nan, "FP32")], parameters={"non_finite": "zero"})
assert zeroed.get_response().parameters["zeroed_elements"].int64_param == rows.size
assert np.array_equal(zeroed.as_numpy("features"), client.infer(model, [input_of(rows * 0, "FP32")]).as_numpy("features"))
assert "shared memory is not served" in expect("UNIMPLEMENTED", client.get_system_shared_memory_status)
assert "traces are not served" in expect("UNIMPLEMENTED", client.get_trace_settings)

# Statistics and the repository.
statistics = client.get_inference_statistics(model, "2").model_stats[0]
assert statistics.inference_count >= 600 and statistics.inference_stats.success.count >= 8
assert statistics.inference_stats.success.ns >= statistics.inference_stats.compute_infer.ns > 0
entries = [entry for entry in client.get_model_repository_index().models if entry.name == model]
index = {(entry.name, entry.version): entry.state for entry in entries}
assert index == {(model, "1"): "READY", (model, "2"): "READY"}, index
client.unload_model(model)
assert not client.is_model_ready(model)
expect("UNAVAILABLE", lambda: client.infer(model, [input_of(rows, "FP32")]))
client.load_model(model)
assert np.array_equal(client.infer(model, [input_of(rows, "FP32")]).as_numpy("features"), features)
print("tritonclient", triton.__name__, "works")
