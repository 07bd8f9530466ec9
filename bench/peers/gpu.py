#!/usr/bin/env python3
"""PyTorch on a CUDA device at the work that kwta-backend-check measures, in lines `torch_NAME value` like the check's.

  python3 bench/peers/gpu.py                         on the machine with the device, after kwta-backend-check
  python3 bench/peers/gpu.py --device cpu --small    shows anywhere that it runs; its figures mean nothing

Each work is tried in several ways, and the best median of them counts. Rows are random: neither side's time depends on them. They
start in the host's memory where the check's do, so that both sides copy them. Most of its minutes are of torch.compile.
"""
import argparse
import pathlib
import statistics
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from convolution import WinnerTakeAll  # noqa: E402
from k_sparse import GatheringAutoencoder, TiedAutoencoder  # noqa: E402

# (units, width, rows of a batch, k) and (maps, images of a batch); --small takes the second.
SAE = {False: (131_072, 4096, 4096, 128), True: (512, 64, 32, 8)}
K_SPARSE = {False: (1000, 784, 1000, 25), True: (100, 784, 50, 25)}
WINNERS = {False: (128, 100), True: (4, 10)}


def median_seconds(device, work, runs):
    """Seconds of work(), the median of `runs` after two that warm up."""

    def once():
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    once()
    once()
    return statistics.median(once() for _ in range(runs))


def best(device, ways, runs, steps=1):
    """Seconds of a step in the fastest of the ways that work here."""
    fastest = None
    for name, make in ways.items():
        try:
            step = make()
            seconds = median_seconds(device, lambda step=step: [step() for _ in range(steps)], runs) / steps
        except RuntimeError as error:  # out of memory, or no compiler on this machine
            print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        finally:
            step = None
            if device.type == "cuda":
                torch.cuda.empty_cache()
        print(f"{name}: {seconds:.6f} s", file=sys.stderr)
        fastest = seconds if fastest is None else min(fastest, seconds)
    if fastest is None:
        sys.exit("no way of a work runs here")
    return fastest


def numbers(shape, deviation=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)) * deviation


def encode_ways(device, units, width, rows, k):
    """bf16 products and topk over all units, whose codes are not exact: the bar's peer."""
    x = numbers((rows, width)).to(device, torch.bfloat16)
    atoms = numbers((units, width), 0.1).to(device, torch.bfloat16)
    bias = torch.zeros(units, device=device, dtype=torch.bfloat16)

    def encode(batch):
        return torch.topk(F.linear(batch, atoms, bias), k, sorted=False)

    def make(compiled):
        chosen = torch.compile(encode) if compiled else encode

        def call():
            with torch.inference_mode():
                return chosen(x)

        return call

    return {"encode": lambda: make(False), "encode compiled": lambda: make(True)}


def train_ways(device, make_model, batch, optimiser_of):
    def make(model_class, compiled, autocast):
        model = model_class().to(device)
        optimiser = optimiser_of(model.parameters())
        loss_of = torch.compile(model) if compiled else model
        host = batch.pin_memory() if device.type == "cuda" else batch

        def call():
            x = host.to(device, non_blocking=True)
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                loss = loss_of(x)
            loss.backward()
            optimiser.step()

        return call

    ways = {}
    for name, model_class in make_model.items():
        for compiled in (False, True):
            for autocast in (False, True):
                way = " ".join([name, *["compiled"] * compiled, *["bf16"] * autocast])
                ways[way] = lambda m=model_class, c=compiled, a=autocast: make(m, c, a)
    return ways


def sparse_models(units, width, k):
    weights = {"atoms": numbers((units, width), 0.02), "bias": torch.zeros(units), "decoder_bias": torch.zeros(width)}
    return {
        "train": lambda: TiedAutoencoder(weights, k),
        "train gathering": lambda: GatheringAutoencoder(weights, k),
    }


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, fused=True)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3, fused=True)


def winner_models(maps):
    weights = {
        "filters": numbers((maps, 1, 7, 7), 0.1),
        "bias": torch.zeros(maps),
        "decoder_filters": numbers((maps, 1, 7, 7), 0.1),
        "decoder_bias": torch.zeros(1),
    }
    return {"winners": lambda: WinnerTakeAll(weights)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ... or cpu")
    parser.add_argument("--small", action="store_true", help="small work, to see that it runs")
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu.py: nothing is measured: PyTorch finds no CUDA device")
    runs = 3 if args.small else 9

    units, width, rows, k = SAE[args.small]
    seconds = best(device, encode_ways(device, units, width, rows, k), runs)
    print(f"torch_cuda_encode_sae131k_rows_per_second {rows / seconds:.6g}", flush=True)
    # A step holds scores of 2 GB and the optimiser's state beside them; the gathering one has no dense codes.
    ways = train_ways(device, sparse_models(units, width, k), numbers((rows, width)), momentum)
    print(f"torch_cuda_train_sae131k_milliseconds {1000 * best(device, ways, 3):.6g}", flush=True)

    units, width, rows, k = K_SPARSE[args.small]
    ways = train_ways(device, sparse_models(units, width, k), numbers((rows, width)), momentum)
    seconds = best(device, ways, runs, steps=3 if args.small else 60)
    print(f"torch_cuda_train_ksparse_rows_per_second {rows / seconds:.6g}", flush=True)

    maps, images = WINNERS[args.small]
    ways = train_ways(device, winner_models(maps), numbers((images, 1, 28, 28)), adam)
    seconds = best(device, ways, runs, steps=3 if args.small else 100)
    print(f"torch_cuda_train_wta128_images_per_second {images / seconds:.6g}", flush=True)


if __name__ == "__main__":
    main()
