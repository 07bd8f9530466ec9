"""k-sparse autoencoders in PyTorch: linear and topk to encode; autograd, SGD with momentum to train."""

import torch
import torch.nn.functional as F

from inputs import Batches


def encode_variants(work, inputs):
    rows = inputs.rows(work)
    weights = inputs.weights(f"{work['data']}-{work['units']}")
    # Bytes stay undivided; the weights absorb their scale.
    scale = 1 / 255 if work.get("dtype") == "u8" else 1

    def make(dtype, compiled):
        weight = (weights["atoms"] * scale).to(dtype)
        bias = weights["bias"].to(dtype)
        batches = Batches(rows, work["batch"])

        def encode(x):
            return torch.topk(F.linear(x.to(dtype), weight, bias), work["k"], sorted=False)

        if compiled:
            encode = torch.compile(encode)

        def call():
            with torch.inference_mode():
                return len(encode(batches()).values)

        return call

    return {
        "eager": lambda: make(torch.float32, False),
        "compiled": lambda: make(torch.float32, True),
        "bf16": lambda: make(torch.bfloat16, False),
        "bf16_compiled": lambda: make(torch.bfloat16, True),
    }


class TiedAutoencoder(torch.nn.Module):
    def __init__(self, weights, k):
        super().__init__()
        self.k = k
        self.atoms = torch.nn.Parameter(weights["atoms"].clone())
        self.bias = torch.nn.Parameter(weights["bias"].clone())
        self.decoder_bias = torch.nn.Parameter(weights["decoder_bias"].clone())

    def forward(self, x):
        """Returns the mean over the batch of |x - xhat|^2."""
        scores = F.linear(x, self.atoms, self.bias)
        values, units = torch.topk(scores, self.k, sorted=False)
        codes = torch.zeros_like(scores).scatter(1, units, values)
        error = torch.addmm(self.decoder_bias, codes, self.atoms) - x
        return error.square().sum() / len(x)


class GatheringAutoencoder(TiedAutoencoder):
    """Decodes with the active atoms only."""

    def forward(self, x):
        values, units = torch.topk(F.linear(x, self.atoms, self.bias), self.k, sorted=False)
        decoded = F.embedding_bag(units, self.atoms, per_sample_weights=values, mode="sum")
        return (decoded + self.decoder_bias - x).square().sum() / len(x)


def train_variants(work, inputs):
    rows = inputs.rows(work)
    weights = inputs.weights(f"{work['data']}-{work['units']}-warm")

    def make(model_class, compiled=False, autocast=False):
        model = model_class(weights, work["k"])
        optimiser = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, fused=True)
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
        "eager": lambda: make(TiedAutoencoder),
        "eager_gather": lambda: make(GatheringAutoencoder),
        "compiled": lambda: make(TiedAutoencoder, compiled=True),
        "bf16": lambda: make(TiedAutoencoder, autocast=True),
    }
