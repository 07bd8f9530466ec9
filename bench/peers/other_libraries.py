"""The same encoders in ONNX Runtime, and orthogonal matching pursuit by scikit-learn's SparseCoder."""

import numpy as np

from inputs import Batches

# Matching pursuit takes milliseconds per row.
PURSUIT_ROWS = 16


def encode_variants(work, inputs):
    weights = inputs.weights(f"{work['data']}-{work['units']}")
    rows = inputs.rows({**work, "dtype": "f32"})

    def onnx_runtime():
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        k = np.array([work["k"]], np.int64)
        graph = helper.make_graph(
            [
                helper.make_node("Gemm", ["x", "atoms", "bias"], ["scores"], transB=1),
                helper.make_node("TopK", ["scores", "k"], ["values", "indices"], sorted=0),
            ],
            "k_sparse",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", rows.shape[1]])],
            [
                helper.make_tensor_value_info("values", TensorProto.FLOAT, ["rows", work["k"]]),
                helper.make_tensor_value_info("indices", TensorProto.INT64, ["rows", work["k"]]),
            ],
            [
                numpy_helper.from_array(weights["atoms"].numpy(), "atoms"),
                numpy_helper.from_array(weights["bias"].numpy(), "bias"),
                numpy_helper.from_array(k, "k"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = inputs.threads
        # Otherwise idle threads take processor time while others are measured.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        batches = Batches(rows, work["batch"])
        return lambda: len(session.run(None, {"x": batches().numpy()})[0])

    def scikit_learn():
        from sklearn.decomposition import SparseCoder

        atoms = weights["atoms"].numpy()
        atoms = atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-12)
        coder = SparseCoder(atoms, transform_algorithm="omp", transform_n_nonzero_coefs=work["k"])
        batches = Batches(rows, min(work["batch"], PURSUIT_ROWS))
        return lambda: len(coder.transform(batches().numpy()))

    return {"onnxruntime": onnx_runtime, "scikit-learn": scikit_learn}
