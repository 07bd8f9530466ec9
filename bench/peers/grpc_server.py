"""A Python server of Encode around the PyTorch encoder: a typical grpc.aio server, in the manner of TorchServe.

    python grpc_server.py --inputs DIR --proto DIR --threads N --ready-fd N

Serves kwta.v1.EncoderService/Encode for the model images-1000, so that the same client loads both servers. Batching is
greedy: the next batch gathers while a thread computes the previous one.
"""

import argparse
import asyncio
import concurrent.futures
import json
import os
import sys
import tempfile

import grpc
import numpy as np
import torch
from grpc_tools import protoc

from inputs import Inputs

MODEL = "images-1000"
LARGEST_BATCH = 256


def messages(proto):
    """Returns the module generated from service.proto."""
    folder = tempfile.mkdtemp()
    names = [f"kwta/v1/{name}.proto" for name in ("service", "encoder", "job", "tensor")]
    well_known = os.path.join(os.path.dirname(protoc.__file__), "_proto")
    if protoc.main(["protoc", f"-I{proto}", f"-I{well_known}", f"--python_out={folder}", *names]) != 0:
        sys.exit("protoc failed")
    sys.path.insert(0, folder)
    from kwta.v1 import service_pb2, tensor_pb2

    return service_pb2, tensor_pb2


class Encoder:
    def __init__(self, inputs):
        weights = inputs.weights(MODEL)
        self.weight, self.bias = weights["atoms"], weights["bias"]

    @torch.inference_mode()
    def __call__(self, rows, k):
        values, units = torch.topk(torch.nn.functional.linear(torch.from_numpy(rows), self.weight, self.bias), k)
        return units.numpy().astype(np.uint32), values.numpy()


class Service:
    def __init__(self, encoder, service_pb2, tensor_pb2):
        self.encoder, self.service_pb2, self.tensor_pb2 = encoder, service_pb2, tensor_pb2
        self.waiting = asyncio.Queue()
        self.worker = concurrent.futures.ThreadPoolExecutor(1)

    async def encode(self, request, context):
        tensor = request.input
        if tensor.dtype == self.tensor_pb2.DTYPE_U8:
            rows = np.frombuffer(tensor.raw, np.uint8).astype(np.float32) / 255
        elif tensor.raw:
            rows = np.frombuffer(tensor.raw, np.float32)
        else:
            rows = np.array(tensor.floats, np.float32)
        if len(tensor.shape) != 2 or rows.size != tensor.shape[0] * tensor.shape[1]:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "input.shape does not fit the elements")
        answer = asyncio.get_running_loop().create_future()
        await self.waiting.put((rows.reshape(tuple(tensor.shape)), request.options.k, answer))
        units, values = await answer
        response = self.service_pb2.EncodeResponse(model_version=1, code_width=len(self.encoder.bias))
        response.top_k.k = units.shape[1]
        response.top_k.indices.extend(units.ravel().tolist())
        response.top_k.values.extend(values.ravel().tolist())
        return response

    async def run(self):
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < LARGEST_BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            rows = np.concatenate([each[0] for each in batch])
            units, values = await loop.run_in_executor(self.worker, self.encoder, rows, batch[0][1])
            begin = 0
            for mine, _, answer in batch:
                end = begin + len(mine)
                if not answer.done():
                    answer.set_result((units[begin:end], values[begin:end]))
                begin = end


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--proto", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    service_pb2, tensor_pb2 = messages(arguments.proto)
    service = Service(Encoder(Inputs(arguments.inputs, arguments.threads)), service_pb2, tensor_pb2)
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        service.encode,
        request_deserializer=service_pb2.EncodeRequest.FromString,
        response_serializer=service_pb2.EncodeResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("kwta.v1.EncoderService", {"Encode": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    with os.fdopen(arguments.ready_fd, "w") as ready:
        ready.write(json.dumps({"grpc": port}) + "\n")
    await asyncio.gather(service.run(), server.wait_for_termination())


if __name__ == "__main__":
    asyncio.run(main())
