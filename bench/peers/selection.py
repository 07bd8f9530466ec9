"""torch.topk on the scores that work_bench selects from."""

import torch


def variants(work, inputs):
    rows = inputs.rows(work)[: work["rows"]]
    scores = rows @ inputs.weights(f"{work['data']}-{work['units']}")["atoms"].t()

    def make(compiled):
        def select(matrix):
            return torch.topk(matrix, work["k"], sorted=False)

        chosen = torch.compile(select) if compiled else select

        def call():
            with torch.inference_mode():
                return len(chosen(scores).values)

        return call

    return {"eager": lambda: make(False), "compiled": lambda: make(True)}
