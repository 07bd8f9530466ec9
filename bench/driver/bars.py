"""The measurements, and the bars that their figures must reach.

A group is one kind of work. kwta ("ours"), the variants of bench/peers and programs that measure the machine take turns
at it. Bars are (must reach, aim) and depend on the best instruction set, of the machine or of --force-isa.
"""

import dataclasses

PYTORCH_FP32 = ("eager", "eager_gather", "compiled")
PYTORCH_BF16 = ("bf16", "bf16_compiled")
GEMMS = ("gemm_f32", "gemm_bf16", "gemm_int8")

SAE = "data=patches units=32768"
SAE_PRODUCT = "m=1024 k=768 n=32768"
READ_BYTES = 512 << 20
JOB = "data=images units=1000 k=25 batch=100 epochs=50 rows=50000"
HANDOVER = {"handover": "handover times=20000"}
SIGMOID = "activation=ACTIVATION_SIGMOID"
REGULARISED = {
    "dae": "gaussian-noise=0.1",
    "cae": "contraction=0.1",
    "mdae": "marginalised-noise=0.1",
    "sae": "sparse-penalty=0.1 activity-limit=0.9",
    "dae_sigmoid": f"gaussian-noise=0.1 {SIGMOID}",
    "cae_sigmoid": f"contraction=0.1 {SIGMOID}",
}


@dataclasses.dataclass(frozen=True)
class Group:
    name: str
    work: str
    peers: tuple = ("eager", "compiled")
    # Quick runs leave these out: no bar needs them, or others are faster.
    slow_peers: tuple = ("bf16",)
    machine: dict = dataclasses.field(default_factory=dict)
    # Measured by the method of wire.Wire with the group's name, on a server of its own, instead of by `work`.
    wire: bool = False
    unit: str = "/s"


@dataclasses.dataclass(frozen=True)
class Bar:
    name: str
    kind: str  # "ratio": over the best of `against`; "limit": the same, times `scale`; "value": the figure itself.
    group: str
    against: tuple = PYTORCH_FP32
    vnni: tuple = (0, 0)
    amx: tuple = None  # None: as with VNNI
    avx2: tuple = None  # None: as with VNNI; AVX-512 without VNNI has these too
    scale: float = 1
    less: bool = False  # less is better

    def of(self, isa):
        """Returns (must reach, aim) with the instruction set `isa`."""
        return {"amx": self.amx, "avx2": self.avx2, "avx512": self.avx2}.get(isa) or self.vnni


OTHERS = ("bf16", "onnxruntime", "scikit-learn")
TRAINERS = ("eager", "eager_gather", "compiled")

GROUPS = (
    Group("encode_k75_b256", "encode data=images units=1000 k=75 batch=256", slow_peers=OTHERS),
    Group("encode_k75_b256_u8", "encode data=images units=1000 k=75 batch=256 dtype=u8"),
    Group("encode_b1", "encode data=images units=1000 k=75 batch=1", slow_peers=OTHERS),
    Group(
        "encode_sae32k",
        f"encode {SAE} k=32 batch=1024",
        peers=("eager", "compiled", "bf16"),
        slow_peers=("bf16_compiled", "onnxruntime"),
        machine={name: f"product type={name[5:]} {SAE_PRODUCT}" for name in GEMMS},
    ),
    Group("encode_sae32k_b1", f"encode {SAE} k=32 batch=1", slow_peers=("bf16", "onnxruntime")),
    Group("train_ksparse", "train data=images units=1000 k=25 batch=100", peers=TRAINERS, machine=HANDOVER),
    Group("train_ksparse_b1000", "train data=images units=1000 k=25 batch=1000", peers=TRAINERS),
    Group("train_ksparse_dense", "train data=patches units=1000 k=25 batch=100", peers=TRAINERS, machine=HANDOVER),
    *(
        Group(f"train_{name}", f"train_regularised data=images encoder=regularised units=1000 batch=100 {words}")
        for name, words in REGULARISED.items()
    ),
    Group("train_dropout", "train_dropout data=images encoder=dropout units=1000 batch=100"),
    Group(
        "train_rbm",
        "train_rbm data=images encoder=rbm units=1000 batch=100",
        peers=("eager", "compiled", "scikit-learn"),
        slow_peers=(),
    ),
    Group("encode_relu", "encode_regularised data=images encoder=regularised units=1000 batch=256", slow_peers=("bf16",)),
    Group("train_wta16", "train_maps data=images maps=16 batch=100", machine=HANDOVER),
    Group("train_wta128", "train_maps data=images maps=128 batch=100"),
    Group("train_wta_cifar", "train_maps data=colour maps=128 batch=100"),
    Group("encode_wta128", "encode_maps data=images maps=128 batch=100"),
    Group(
        "select",
        f"select {SAE} k=64 rows=4096",
        slow_peers=(),
        machine={"memory": f"read bytes={READ_BYTES}"},
    ),
    Group(
        "train_time",
        f"job {JOB}",
        peers=(),
        slow_peers=(),
        machine={"steps": f"steps {JOB}"},
    ),
    Group("wire_unary", "one-row calls", wire=True),
    Group("wire_stream", "one-row messages", wire=True),
    Group("wire_b256_u8", "encode data=images units=1000 k=75 batch=256 dtype=u8", peers=(), wire=True),
    Group("wire_vs_torchserve_like", "one-row calls", wire=True),
    Group("tail", "one-row calls", wire=True, unit=" ms"),
    Group("tail_training", "one-row calls", wire=True, unit=" ms"),
    Group("idle", "one-row calls", wire=True, unit=" ms"),
    Group("overload", "16-row calls of a large model", wire=True, unit=" ms"),
    Group("reloads", "one-row calls of a model whose versions are swapped", wire=True, unit=" %"),
)

BARS = (
    Bar("encode_k75_b256", "ratio", "encode_k75_b256", vnni=(5, 8), avx2=(2.5, 4)),
    Bar("encode_k75_b256_u8", "ratio", "encode_k75_b256_u8", vnni=(6, 10), avx2=(2.8, 4)),
    Bar("encode_b1", "ratio", "encode_b1", vnni=(9, 12), avx2=(4, 6)),
    Bar("encode_sae32k", "ratio", "encode_sae32k", vnni=(8, 9), amx=(6, 9), avx2=(2.8, 4)),
    Bar("encode_sae32k_b1", "ratio", "encode_sae32k_b1", vnni=(15, 20), avx2=(5, 7)),
    Bar("limit_encode_sae32k", "limit", "encode_sae32k", against=GEMMS, vnni=(0.75, 0.9), amx=(0.7, 1.35)),
    Bar("encode_vs_bf16", "ratio", "encode_sae32k", against=PYTORCH_BF16, vnni=(8, 15), amx=(1, 1.5)),
    Bar("train_ksparse", "ratio", "train_ksparse", vnni=(12, 18), avx2=(10, 14)),
    Bar("train_ksparse_b1000", "ratio", "train_ksparse_b1000", vnni=(8, 12), avx2=(6, 9)),
    Bar("train_ksparse_dense", "ratio", "train_ksparse_dense", vnni=(6, 9), avx2=(4.5, 7)),
    *(
        Bar(f"train_{name}", "ratio", f"train_{name}", vnni=(1.5, 2 if SIGMOID in words else 4))
        for name, words in REGULARISED.items()
    ),
    Bar("train_dropout", "ratio", "train_dropout", vnni=(1.5, 4)),
    Bar("train_rbm", "ratio", "train_rbm", against=(*PYTORCH_FP32, "scikit-learn"), vnni=(1.5, 2)),
    Bar("encode_relu", "ratio", "encode_relu", vnni=(1, 2)),
    Bar("train_wta16", "ratio", "train_wta16", vnni=(60, 120)),
    Bar("train_wta128", "ratio", "train_wta128", vnni=(130, 300)),
    Bar("train_wta_cifar", "ratio", "train_wta_cifar", vnni=(70, 100), avx2=(35, 80)),
    Bar("encode_wta128", "ratio", "encode_wta128", vnni=(6, 15)),
    Bar("select", "ratio", "select", vnni=(5, 10)),
    # Selection reads every score once: 32,768 of four bytes per row.
    Bar("limit_select", "limit", "select", against=("memory",), vnni=(0.5, 0.9), scale=4 * 32768),
    Bar("train_time", "value", "train_time", vnni=(30, 12), less=True),
    # How many times as long a job takes as its training steps alone.
    Bar("train_time_steps", "ratio", "train_time", against=("steps",), vnni=(1.4, 1.15), less=True),
    Bar("wire_unary", "ratio", "wire_unary", against=("empty",), vnni=(0.6, 0.8)),
    Bar("wire_stream", "ratio", "wire_stream", against=("unary",), vnni=(2, 3)),
    Bar("wire_b256_u8", "ratio", "wire_b256_u8", against=("in_process",), vnni=(0.7, 0.9)),
    Bar("wire_vs_torchserve_like", "ratio", "wire_vs_torchserve_like", against=("grpc_aio",), vnni=(5, 15)),
    Bar("tail", "value", "tail", vnni=(3, 1), less=True),
    # How many times as long as most calls the slowest of a hundred takes.
    Bar("tail_median", "ratio", "tail", against=("median",), vnni=(3, 2), less=True),
    Bar("tail_training", "ratio", "tail_training", against=("without",), vnni=(4, 2), less=True),
    Bar("idle", "value", "idle", vnni=(2, 1), less=True),
    Bar("overload", "ratio", "overload", against=("at_capacity",), vnni=(2, 1.2), less=True),
    Bar("overload_refusal", "value", "overload", vnni=(20, 5), less=True),
    # Growth of resident memory in percent, and number of failed calls.
    Bar("reloads", "value", "reloads", vnni=(5, 1), less=True),
    Bar("reloads_failed", "value", "reloads", vnni=(0, 0), less=True),
)

# Number of rows in the paper's training: 5,000 epochs of 50,000 images.
PAPER_ROWS = 5000 * 50000


def groups_of(names):
    """Returns the groups that the named bars need, in order. Raises ValueError for unknown names and lists the known."""
    known = {bar.name: bar.group for bar in BARS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no bar is called {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = {known[name] for name in names} if names else set(known.values())
    return [group for group in GROUPS if group.name in wanted]


def bar_value(bar, medians):
    """Returns the figure of a bar from the medians of its group, or None if a part of it was not measured."""
    if "ours" not in medians:
        return None
    if bar.name == "train_time":
        return PAPER_ROWS / medians["ours"] / 60
    if bar.name == "overload_refusal":
        return medians.get("refusal")
    if bar.name == "reloads_failed":
        return medians.get("failed")
    if bar.kind == "value":
        return medians["ours"]
    against = [medians[name] for name in bar.against if name in medians]
    if bar.name == "train_time_steps":
        return against[0] / medians["ours"] if against else None
    return bar.scale * medians["ours"] / max(against) if against else None
