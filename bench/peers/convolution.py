"""Winner-take-all convolutional autoencoders in PyTorch."""

import torch
import torch.nn.functional as F

from inputs import Batches


def shape_of(work, rows):
    return rows.reshape(len(rows), *((1, 28, 28) if work["data"] == "images" else (3, 32, 32)))


def encode_variants(work, inputs):
    rows = shape_of(work, inputs.rows(work))
    weights = inputs.weights(f"{work['data']}-maps-{work['maps']}")

    def make(compiled=False, dtype=torch.float32):
        filters = weights["filters"].to(dtype)
        bias = weights["bias"].to(dtype)
        batches = Batches(rows, work["batch"])

        def encode(x):
            maps = F.relu(F.conv2d(x.to(dtype), filters, bias, padding="same"))
            return F.max_pool2d(maps, 5, stride=3, padding=2)

        if compiled:
            encode = torch.compile(encode)

        def call():
            with torch.inference_mode():
                return len(encode(batches()))

        return call

    return {
        "eager": make,
        "compiled": lambda: make(compiled=True),
        "bf16": lambda: make(dtype=torch.bfloat16),
    }


class WinnerTakeAll(torch.nn.Module):
    """One winner a map, found by a maximum over the positions and kept by a mask."""

    def __init__(self, weights):
        super().__init__()
        self.filters = torch.nn.Parameter(weights["filters"].clone())
        self.bias = torch.nn.Parameter(weights["bias"].clone())
        self.decoder = torch.nn.Parameter(weights["decoder_filters"].clone())
        self.decoder_bias = torch.nn.Parameter(weights["decoder_bias"].clone())

    def winners(self, maps):
        flat = maps.flatten(2)
        values, positions = flat.max(2, keepdim=True)
        return torch.zeros_like(flat).scatter(2, positions, values).reshape(maps.shape)

    def forward(self, x):
        """Returns the mean over the batch of |x - xhat|^2."""
        maps = F.relu(F.conv2d(x, self.filters, self.bias, padding="same"))
        decoded = F.conv_transpose2d(
            self.winners(maps), self.decoder, self.decoder_bias, padding=self.decoder.shape[-1] // 2
        )
        return (decoded - x).square().sum() / len(x)


def train_variants(work, inputs):
    rows = shape_of(work, inputs.rows(work))
    weights = inputs.weights(f"{work['data']}-maps-{work['maps']}-warm")

    def make(compiled=False, autocast=False):
        model = WinnerTakeAll(weights)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
        loss_of = torch.compile(model) if compiled else model
        batches = Batches(rows, work["batch"])

        def call():
            x = batches()
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                loss = loss_of(x)
            loss.backward()
            optimiser.step()
            return len(x)

        return call

    return {
        "eager": make,
        "compiled": lambda: make(compiled=True),
        "bf16": lambda: make(autocast=True),
    }
