"""Regularised autoencoders in PyTorch: linear and an activation; autograd, SGD with momentum, rows of unit length."""

import torch
import torch.nn.functional as F

from inputs import Batches


def activation_of(work):
    return torch.sigmoid if work.get("activation") == "ACTIVATION_SIGMOID" else torch.relu


def encode_variants(work, inputs):
    rows = inputs.rows(work)
    weights = inputs.weights(f"{work['data']}-units-{work['units']}")
    activation = activation_of(work)

    def make(dtype, compiled):
        weight, bias = weights["atoms"].to(dtype), weights["bias"].to(dtype)
        batches = Batches(rows, work["batch"])

        def encode(x):
            return activation(F.linear(x.to(dtype), weight, bias))

        if compiled:
            encode = torch.compile(encode)

        def call():
            with torch.inference_mode():
                return len(encode(batches()))

        return call

    return {
        "eager": lambda: make(torch.float32, False),
        "compiled": lambda: make(torch.float32, True),
        "bf16": lambda: make(torch.bfloat16, False),
    }


class RegularisedAutoencoder(torch.nn.Module):
    """The loss of docs/regularised.md with the regulariser that `work` names."""

    def __init__(self, weights, work):
        super().__init__()
        self.atoms = torch.nn.Parameter(weights["atoms"].clone())
        self.bias = torch.nn.Parameter(weights["bias"].clone())
        self.decoder_bias = torch.nn.Parameter(weights["decoder_bias"].clone())
        self.register_buffer("mean_activity", torch.zeros_like(weights["bias"]))
        self.sigmoid = activation_of(work) is torch.sigmoid
        self.deviation = float(work.get("gaussian-noise", 0)) ** 0.5
        self.contraction = float(work.get("contraction", 0))
        self.marginal = float(work.get("marginalised-noise", 0))
        self.sparse_penalty = float(work.get("sparse-penalty", 0))
        self.activity_limit = float(work.get("activity-limit", 0.999))

    def forward(self, x):
        seen = x + self.deviation * torch.randn_like(x) if self.deviation > 0 else x
        scores = F.linear(seen, self.atoms, self.bias)
        codes = torch.sigmoid(scores) if self.sigmoid else torch.relu(scores)
        loss = (torch.addmm(self.decoder_bias, codes, self.atoms) - x).square().sum() / len(x)
        if self.contraction > 0 or self.marginal > 0:
            squared_slopes = (codes * (1 - codes)).square().mean(0) if self.sigmoid else (scores > 0).float().mean(0)
            lengths = self.atoms.square().sum(1)
            loss = loss + squared_slopes @ (self.contraction * lengths + self.marginal * lengths.square())
        if self.sparse_penalty > 0:
            # The running mean is a constant for the gradient, but for the share of the batch.
            mean = codes.mean(0)
            self.mean_activity.mul_(0.9).add_(mean.detach(), alpha=0.1)
            slope = self.sparse_penalty / (1 - self.mean_activity.clamp(max=self.activity_limit))
            loss = loss + slope @ mean
        return loss


def train_variants(work, inputs):
    rows = inputs.rows(work)
    weights = inputs.weights(f"{work['data']}-units-{work['units']}-warm")

    def make(compiled=False, autocast=False):
        model = RegularisedAutoencoder(weights, work)
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
            with torch.no_grad():
                F.normalize(model.atoms, out=model.atoms)
            return len(x)

        return call

    return {
        "eager": make,
        "compiled": lambda: make(compiled=True),
        "bf16": lambda: make(autocast=True),
    }
