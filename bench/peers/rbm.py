"""Restricted Boltzmann machines: contrastive divergence in PyTorch, and scikit-learn's BernoulliRBM."""

import torch

from inputs import Batches

RATE, MOMENTUM, DECAY = 0.001, 0.9, 0.0002


def train_variants(work, inputs):
    rows = inputs.rows(work)
    weights = inputs.weights(f"{work['data']}-units-{work['units']}-warm")

    def make(compiled=False, autocast=False):
        atoms, bias, visible_bias = (weights[name].clone() for name in ("atoms", "bias", "decoder_bias"))
        velocities = [torch.zeros_like(each) for each in (atoms, bias, visible_bias)]
        batches = Batches(rows, work["batch"])

        def update(x, atoms, bias, visible_bias, velocity, bias_velocity, visible_velocity):
            hidden = torch.sigmoid(torch.addmm(bias, x, atoms.t()))
            reconstructed = torch.sigmoid(torch.addmm(visible_bias, torch.bernoulli(hidden), atoms))
            visible = torch.bernoulli(reconstructed)
            later = torch.sigmoid(torch.addmm(bias, visible, atoms.t()))
            gradient = hidden.t() @ x
            gradient.addmm_(later.t(), visible, alpha=-1)
            scale = RATE / len(x)
            velocity.mul_(MOMENTUM).add_(gradient, alpha=scale).add_(atoms, alpha=-RATE * DECAY)
            bias_velocity.mul_(MOMENTUM).add_((hidden - later).sum(0), alpha=scale)
            visible_velocity.mul_(MOMENTUM).add_((x - visible).sum(0), alpha=scale)
            atoms.add_(velocity)
            bias.add_(bias_velocity)
            visible_bias.add_(visible_velocity)
            return (x - reconstructed).square().sum()

        if compiled:
            update = torch.compile(update)

        def call():
            x = batches()
            with torch.inference_mode(not compiled), torch.no_grad():
                with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                    update(x, atoms, bias, visible_bias, *velocities)
            return len(x)

        return call

    def scikit_learn():
        from sklearn.neural_network import BernoulliRBM

        machine = BernoulliRBM(work["units"], learning_rate=RATE, batch_size=work["batch"], random_state=1)
        batches = Batches(rows, work["batch"])

        def call():
            x = batches()
            machine.partial_fit(x.numpy())
            return len(x)

        return call

    return {
        "eager": make,
        "compiled": lambda: make(compiled=True),
        "scikit-learn": scikit_learn,
    }
