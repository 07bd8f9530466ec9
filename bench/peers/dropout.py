"""Dropout autoencoders in PyTorch: linear, ReLU or sigmoid, dropout; autograd, SGD with momentum."""

import torch
import torch.nn.functional as F

from inputs import Batches


class DropoutAutoencoder(torch.nn.Module):
    """The loss of docs/dropout.md with a linear decoder."""

    def __init__(self, weights, work):
        super().__init__()
        self.atoms = torch.nn.Parameter(weights["atoms"].clone())
        self.bias = torch.nn.Parameter(weights["bias"].clone())
        self.decoder_bias = torch.nn.Parameter(weights["decoder_bias"].clone())
        self.activation = torch.sigmoid if work.get("activation") == "ACTIVATION_SIGMOID" else torch.relu
        self.dropout = float(work.get("hidden-dropout", 0.5))
        self.masking = float(work.get("masking-noise", 0))

    def forward(self, x):
        seen = x * (torch.rand_like(x) >= self.masking) if self.masking > 0 else x
        codes = F.dropout(self.activation(F.linear(seen, self.atoms, self.bias)), self.dropout)
        return (torch.addmm(self.decoder_bias, codes, self.atoms) - x).square().sum() / len(x)


def train_variants(work, inputs):
    rows = inputs.rows(work)
    weights = inputs.weights(f"{work['data']}-units-{work['units']}-warm")

    def make(compiled=False, autocast=False):
        model = DropoutAutoencoder(weights, work)
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
        "eager": make,
        "compiled": lambda: make(compiled=True),
        "bf16": lambda: make(autocast=True),
    }
