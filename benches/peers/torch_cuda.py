"""Trains torch's own nn.LSTM on the first GPU under the benchmark's protocol; scripts/gpu_check starts it.

Usage: torch_cuda.py DATA BATCH_SIZE {eager,graph}

eager   one model, cuDNN, the fused Adam; all batches lie on the GPU from the start; text is cut to the longest
        row of a batch.
graph   the same step captured once as a CUDA graph and replayed: no time of Python or of launches is left. Text
        keeps its full length, since a graph has one shape.

f32 without TF32, as batchscope computes.
"""

import sys
from pathlib import Path

import torch
from protocol import serve
from torch import nn
from torch_lstm import LR, Classifier, batches


def on_gpu(part, length: int | None):
    x, lengths, y = part
    if length is not None and lengths is not None:
        x = nn.functional.pad(x, (0, length - x.shape[1]))
    return x.cuda(), None if lengths is None else lengths.cuda(), y.cuda()


def main(data: str, batch_size: str, mode: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    parts = batches(Path(data), int(batch_size))
    text = parts[0][1] is not None
    longest = max(x.shape[1] for x, *_ in parts) if text and mode == "graph" else None
    parts = [on_gpu(part, longest) for part in parts]
    model = Classifier(None if text else parts[0][0].shape[2], packed=False).cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True, capturable=mode == "graph")
    loss_of = nn.BCEWithLogitsLoss()

    def step(x, lengths, y) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=mode == "eager")
        loss = loss_of(model(x, lengths), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    at = 0

    def eager(steps: int) -> float:
        nonlocal at
        loss = torch.zeros(())
        for _ in range(steps):
            loss = step(*parts[at % len(parts)])
            at += 1
        return loss.item()

    if mode == "eager":
        serve(eager, {"torch": torch.__version__}, warm_up=8)
        return

    inputs = [None if tensor is None else tensor.clone() for tensor in parts[0]]
    # Captured after steps on a stream of its own, as torch's documentation asks.
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        last = step(*inputs)

    def replay(steps: int) -> float:
        nonlocal at
        for _ in range(steps):
            for into, tensor in zip(inputs, parts[at % len(parts)]):
                if into is not None:
                    into.copy_(tensor)
            graph.replay()
            at += 1
        return last.item()

    serve(replay, {"torch": torch.__version__}, warm_up=8)


if __name__ == "__main__":
    main(*sys.argv[1:])
