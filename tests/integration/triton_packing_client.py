"""What a user of tritonclient[http] may do if the server takes compressed bodies: ADDRESS MODEL WIDTH."""

import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

address, model, width = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = triton.InferenceServerClient(address)
rows = np.random.default_rng(1).random((3, width), dtype=np.float32)


def infer(array, binary=True, **more):
    tensor = triton.InferInput("input", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array, binary_data=binary)
    return client.infer(model, [tensor], **more).as_numpy("features")


plain = infer(rows)
for packing in ("gzip", "deflate"):
    for binary in (True, False):
        assert np.array_equal(infer(rows, binary, request_compression_algorithm=packing), plain), (packing, binary)
    # The limit on bodies holds for what is unpacked: 70 MB of zeros take some 70 kB.
    try:
        infer(np.zeros((22000, width), np.float32), request_compression_algorithm=packing)
        raise AssertionError("a body beyond --max-message-bytes was taken")
    except InferenceServerException as error:
        assert "58720256" in str(error), error
# An answer that may be packed comes as it is, which is what the header allows.
assert np.array_equal(infer(rows, response_compression_algorithm="gzip"), plain)
print("tritonclient", triton.__name__, "works with compressed bodies")
