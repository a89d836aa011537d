"""Of sequences: recurrent layers, attention, layer norm.

make_vectors.py calls these in its own order, which fixes the random numbers.
"""
import torch
import torch.nn.functional as F

from vector_file import File, exact, normal, uniform


def layer_norm():
    file = File("layer_norm")
    for name, shape, scale, offset, epsilon in [("rows", (5, 7), True, True, 2.0**-10), ("sequence", (2, 3, 16), True, True, 2.0**-17),
                                                ("bare", (4, 33), False, False, 2.0**-10), ("no_offset", (6, 5), True, False, 2.0**-10)]:
        size = shape[-1]
        inputs = [normal(*shape) * 2 + 1, uniform(0.5, 2, size) if scale else None, normal(size) if offset else None]
        file.case(name, "layer_norm", dict(epsilon=epsilon), [t if t is None else exact(t) for t in inputs],
                  lambda t, size=size, epsilon=epsilon: F.layer_norm(t[0], (size,), t[1], t[2], epsilon))
    file.write()


def attention():
    file = File("attention")

    def run(t, causal, mask):
        q, k, v = (x.permute(0, 2, 1, 3) for x in t[:3])
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool)
        if causal:
            allowed = allowed.tril(scores.shape[-1] - scores.shape[-2])
        if mask is not None:
            allowed = allowed & torch.tensor(mask, dtype=torch.bool)[:, None, None, :]
        scores = scores.masked_fill(~allowed, -torch.inf)
        weights = torch.softmax(scores, -1).masked_fill(~allowed, 0)  # a row that sees nothing: 0 and not NaN
        return (torch.nan_to_num(weights) @ v).permute(0, 2, 1, 3)

    for name, queries, keys, causal, mask in [("plain", 5, 7, False, None), ("causal", 7, 7, True, None), ("causal_tail", 3, 7, True, None),
                                              ("masked", 5, 4, False, [[1, 0, 1, 1], [1, 1, 0, 0]]),
                                              ("masked_causal", 4, 4, True, [[1, 1, 0, 1], [1, 0, 1, 1]]), ("one", 1, 1, True, None)]:
        inputs = [normal(2, queries, 3, 4), normal(2, keys, 3, 4), normal(2, keys, 3, 6)]
        file.case(name, "attention", dict(causal=causal, mask=mask or []), inputs,
                  lambda t, causal=causal, mask=mask: run(t, causal, mask))
    file.write()


def rnn():
    file = File("rnn")
    kinds = {"relu": torch.nn.RNN, "tanh": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    gates = {"relu": 1, "tanh": 1, "lstm": 4, "gru": 3}

    def add(name, cell, batch, time, size, units, bias=True, initial=True, reverse=False, lengths=None):
        width = gates[cell] * units
        more = dict(nonlinearity=cell) if cell in ("relu", "tanh") else {}
        # The reverse direction of a bidirectional layer; its other half gets weights of 0.
        module = kinds[cell](size, units, bias=bias, batch_first=True, bidirectional=reverse, **more).double()
        names = [key for key in module._flat_weights_names if key.endswith("_reverse") == reverse]

        def run(t):
            x, h, c = t[0], t[5], t[6]
            given = {key: torch.zeros_like(p) for key, p in module.named_parameters()}
            for key, tensor in zip(names, t[1:3] + (t[3:5] if bias else [])):
                given[key] = tensor
            state = None
            if h is not None:
                both = lambda s: torch.stack([torch.zeros_like(s), s]) if reverse else s[None]
                state = (both(h), both(c)) if cell == "lstm" else both(h)
            if lengths:
                x = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
            module._flat_weights = [given[key] for key in module._flat_weights_names]
            y, final = module(x, state)
            if lengths:
                y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=time)
            final = final if cell == "lstm" else (final,)
            return (y[..., -units:], *(part[-1] for part in final))

        inputs = [normal(batch, time, size), normal(width, size) * 0.5, normal(width, units) * 0.5,
                  normal(width) if bias else None, normal(width) if bias else None,
                  normal(batch, units) if initial else None, normal(batch, units) if initial and cell == "lstm" else None]
        file.case(name, "rnn", dict(cell=cell, reverse=reverse, lengths=lengths or []), inputs, run)

    for cell in kinds:
        add(f"{cell}", cell, 3, 5, 4, 7)
        add(f"{cell}_bare", cell, 2, 4, 3, 5, bias=False, initial=False)
        add(f"{cell}_reverse", cell, 3, 4, 4, 5, reverse=True)
        add(f"{cell}_lengths", cell, 4, 6, 3, 5, lengths=[2, 6, 1, 4])
    file.write()
