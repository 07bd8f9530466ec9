"""What a user of the kserve client does, against a server of kwta: GRPC_ADDRESS HTTP_URL MODEL WIDTH UNITS K.

The model is k-sparse and has version 1. Ends with an AssertionError if something is not as a client expects.
"""

import asyncio
import sys

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

address, url, model, width, units, k = *sys.argv[1:4], *map(int, sys.argv[4:7])
rows = np.random.default_rng(1).random((3, width), dtype=np.float32)
pixels = (rows * 255).round().astype(np.uint8)


def request(array, datatype="FP32", binary=True, outputs=(), **more):
    tensor = InferInput("input", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    wanted = [RequestedOutput(name) for name in outputs] or None
    return InferRequest(model_name=model, infer_inputs=[tensor], request_outputs=wanted, **more)


def numbers(response, name):
    output = next(output for output in response.outputs if output.name == name)
    return output.as_numpy()


def check(response):
    """Everything that a model returns."""
    features, indices, values = (numbers(response, name) for name in ("features", "indices", "values"))
    assert features.shape == (3, units) and indices.shape == values.shape == (3, k)
    assert np.array_equal(np.take_along_axis(features, indices.astype(np.int64), axis=1), values)
    assert response.model_name == model
    return features


async def over_grpc():
    async with InferenceGRPCClient(url=address) as client:
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready(model_name=model)
        assert not await client.is_model_ready(model_name="nobody")
        response = await client.infer(request(rows, request_id="7"))
        assert response.model_version == "1" and response.id == "7"  # over REST the client drops the version
        features = check(response)
        chosen = await client.infer(request(rows, outputs=["indices"], parameters={"k": 2}))
        assert numbers(chosen, "indices").shape == (3, 2) and len(chosen.outputs) == 1
        of_bytes = numbers(await client.infer(request(pixels, "UINT8")), "features")
        of_floats = numbers(await client.infer(request(pixels.astype(np.float32) / 255)), "features")
        assert np.allclose(of_bytes, of_floats, atol=1e-5)
        try:
            await client.infer(request(rows[:, 1:].copy()))
            raise AssertionError("rows of another width were taken")
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        return features


async def over_rest():
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    features = check(await client.infer(url, request(rows), model_name=model))
    as_json = check(await client.infer(url, request(rows, binary=False), model_name=model))
    assert np.array_equal(features, as_json)
    chosen = await client.infer(url, request(rows, outputs=["values"], parameters={"k": 2}), model_name=model)
    assert numbers(chosen, "values").shape == (3, 2)
    try:
        await client.infer(url, request(rows[:, 1:].copy()), model_name=model)
        raise AssertionError("rows of another width were taken")
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == 400, error
    await client.close()
    return features


async def main():
    assert np.array_equal(await over_grpc(), await over_rest())


asyncio.run(main())
print("kserve works over gRPC and REST")
