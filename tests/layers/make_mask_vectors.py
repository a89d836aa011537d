#!/usr/bin/env python3
"""Makes tests/layers/vectors/masks.safetensors: PyTorch's layers over the steps that a mask lets count, in f64.

make_mask_vectors.py       (needs Debian's python3-torch; the test that reads the file needs nothing)

Format and conventions are make_vectors.py's. A step of -1 in all features is masked; token 0 is.
"""
import torch
from torch import nn

import make_vectors
import vector_file
from make_vectors import add
from vector_file import File, normal

MASKED = -1.0
BEHIND = [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
IN_FRONT = [[0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]]
HOLES = [[0, 1, 0, 1, 1], [1, 0, 0, 0, 1], [0, 1, 1, 1, 0]]


def counted(mask):
    return torch.tensor(mask, dtype=torch.bool)


def run(inner, x, mask):
    """All outputs, 0 where no step counts, and the last state: of the sequences of the steps that count, packed."""
    rows = [x[i][mask[i]] for i in range(x.shape[0])]
    y, state = inner(nn.utils.rnn.pack_sequence(rows, enforce_sorted=False))
    y, lengths = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
    out = []
    for i, length in enumerate(lengths.tolist()):
        places = mask[i].nonzero().flatten()
        out.append(torch.zeros(x.shape[1], y.shape[2], dtype=y.dtype).index_copy(0, places, y[i, :length]))
    state = state[0] if isinstance(state, tuple) else state
    return torch.stack(out), torch.cat(list(state), -1)


def mean_over(x, mask):
    weights = mask.double().unsqueeze(-1)
    return (x * weights).sum(1) / weights.sum(1)


class Recurrent(nn.Module):
    def __init__(self, inner, mask, sequences):
        super().__init__()
        self.add_module("1", inner)
        self.inner, self.mask, self.sequences = [inner], counted(mask), sequences

    def forward(self, x):
        return run(self.inner[0], x, self.mask)[0 if self.sequences else 1]


class Reader(nn.Module):
    """Embedding, LSTM, mean over the tokens that are there, Dense."""

    def __init__(self):
        super().__init__()
        self.parts = [nn.Embedding(9, 4), nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 2)]
        for place, part in zip("013", self.parts):
            self.add_module(place, part)

    def forward(self, tokens):
        mask = tokens != 0
        return self.parts[2](mean_over(run(self.parts[1], self.parts[0](tokens), mask)[0], mask))


class Attended(nn.Module):
    """Self-attention, and the mean over the steps that count."""

    def __init__(self, mask):
        super().__init__()
        self.inner = [nn.MultiheadAttention(8, 2, batch_first=True)]
        self.add_module("1", self.inner[0])
        self.mask = counted(mask)

    def forward(self, x):
        x = torch.where(self.mask.unsqueeze(-1), x, torch.zeros((), dtype=x.dtype))
        return mean_over(self.inner[0](x, x, x, key_padding_mask=~self.mask, need_weights=False)[0], self.mask)


def sequences(mask, features):
    return torch.where(counted(mask).unsqueeze(-1), normal(3, 5, features), torch.tensor(MASKED, dtype=torch.float64))


def main():
    torch.manual_seed(17)
    torch.set_num_threads(1)
    vector_file.FOLDER = make_vectors.HERE / "vectors"
    file = File("masks")
    for name, kind in [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]:
        make = lambda inputs, units, kind=kind, **more: kind(inputs, units, batch_first=True, **more).double()
        for where, mask in [("behind", BEHIND), ("in_front", IN_FRONT), ("holes", HOLES)]:
            add(file, f"{name}_{where}", Recurrent(make(3, 4, bidirectional=True), mask, True), sequences(mask, 3))
            add(file, f"{name}_{where}_last", Recurrent(make(3, 4), mask, False), sequences(mask, 3))
    add(file, "reader", Reader(), torch.tensor([[5, 1, 8, 0, 0], [0, 0, 2, 5, 3], [7, 6, 5, 4, 3]]))
    add(file, "attended", Attended(HOLES), sequences(HOLES, 8))
    file.write()


if __name__ == "__main__":
    main()
