#!/usr/bin/env python3
"""Makes tests/layers/vectors/layers.safetensors and sequences.safetensors: layers of PyTorch's, in f64, with their weights as state_dict has them.

make_vectors.py            (needs Debian's python3-torch; the test that reads the file needs nothing)

Inputs and results lie as Heddle's do (pictures NHWC, sequences [batch, time, features]), weights as PyTorch's. Of each
case: CASE/in, CASE/out, CASE/dout (the gradient that comes back), CASE/din (for floating inputs), CASE/weight.NAME and
CASE/dweight.NAME. The cases' names are those of the layers in pytorch_layers_test.cpp.
"""
import pathlib
import sys

import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ops"))
import vector_file  # noqa: E402
from vector_file import File, nchw, nhwc, normal  # noqa: E402


def as_is(x):
    return x


def time_last(x):
    return x.permute(0, 2, 1)


def add(file, name, module, x, before=as_is, after=as_is):
    """before, after: from Heddle's layout to PyTorch's and back."""
    file.metadata[name] = "{}"
    module = module.double()
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            fixed = getattr(module, "padding_idx", None)
            parameter.copy_(normal(*parameter.shape))
            if fixed is not None:
                parameter[fixed] = 0
            file.put(f"{name}/weight.{key}", parameter.float())
    file.put(f"{name}/in", x.float() if x.is_floating_point() else x)
    if x.is_floating_point():
        x.requires_grad_()
    y = after(module(before(x)))
    dy = normal(*y.shape)
    y.backward(dy)
    file.put(f"{name}/out", y)
    file.put(f"{name}/dout", dy.float())
    if x.is_floating_point():
        file.put(f"{name}/din", x.grad)
    for key, parameter in module.named_parameters():
        file.put(f"{name}/dweight.{key}", parameter.grad)


class Crop(nn.Module):
    """Keras' "same" for a transposed convolution: what is too much is taken off, the odd pixel at the bottom and right."""

    def __init__(self, inner, top, bottom, left, right):
        super().__init__()
        self.weight, self.bias, self.inner, self.sides = inner.weight, inner.bias, [inner], (top, bottom, left, right)

    def forward(self, x):
        y = self.inner[0](x)
        top, bottom, left, right = self.sides
        return y[:, :, top:y.shape[2] - bottom, left:y.shape[3] - right]


class Recurrent(nn.Module):
    """All of a recurrent layer's outputs, or the last state; optionally of sequences of these lengths."""

    def __init__(self, inner, sequences=True, lengths=None):
        super().__init__()
        self.inner, self.sequences, self.lengths = [inner], sequences, lengths
        if lengths is not None:
            self.layer = inner  # as in the layer that the test wraps it in
        else:
            for name, parameter in inner.named_parameters():
                self.register_parameter(name, parameter)

    def forward(self, x):
        inner, time = self.inner[0], x.shape[1]
        if self.lengths is not None:
            x = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(self.lengths), batch_first=True, enforce_sorted=False)
        y, state = inner(x)
        if self.lengths is not None:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=time)
        if self.sequences:
            return y
        state = state[0] if isinstance(state, tuple) else state
        return torch.cat(list(state), -1)


class SelfAttention(nn.MultiheadAttention):
    def __init__(self, size, heads, causal=False, **kwargs):
        super().__init__(size, heads, batch_first=True, **kwargs)
        self.causal = causal

    def forward(self, x):
        hidden = torch.full((x.shape[1], x.shape[1]), True).triu(1) if self.causal else None
        return super().forward(x, x, x, attn_mask=hidden, need_weights=False)[0]


def main():
    torch.manual_seed(7)
    torch.set_num_threads(1)
    vector_file.FOLDER = HERE / "vectors"
    vector_file.FOLDER.mkdir(exist_ok=True)
    file = File("layers")
    pictures, sequences = dict(before=nchw, after=nhwc), dict(before=time_last, after=time_last)

    add(file, "embedding", nn.Embedding(7, 5), torch.tensor([[1, 0, 6, 1], [3, 3, 1, 2]]))
    add(file, "embedding_padding", nn.Embedding(7, 5, padding_idx=2), torch.tensor([[2, 2, 4], [4, 2, 0]]))

    transpose = nn.ConvTranspose2d
    add(file, "transpose_valid", transpose(3, 4, 3), normal(2, 4, 5, 3), **pictures)
    add(file, "transpose_stride", transpose(3, 2, (3, 4), (2, 3)), normal(2, 4, 3, 3), **pictures)
    add(file, "transpose_padding", transpose(2, 3, 4, 2, padding=1, bias=False), normal(1, 4, 5, 2), **pictures)
    add(file, "transpose_output_padding", transpose(2, 3, 3, 2, padding=1, output_padding=1), normal(2, 4, 4, 2),
        **pictures)
    add(file, "transpose_dilation", transpose(2, 3, 3, 2, dilation=2), normal(1, 3, 4, 2), **pictures)
    add(file, "transpose_same", Crop(transpose(3, 2, 3, 2), 0, 1, 0, 1), normal(2, 4, 3, 3), **pictures)
    add(file, "transpose_same_even", Crop(transpose(3, 2, 4, 2), 1, 1, 1, 1), normal(1, 4, 3, 3), **pictures)
    # A stride beyond the kernel: the pixels that no window reaches are there too, as in Keras.
    add(file, "transpose_stride_beyond", transpose(2, 2, 2, 3, output_padding=1), normal(1, 3, 2, 2), **pictures)

    for mode, kwargs in [("nearest", {}), ("bilinear", dict(align_corners=False))]:
        for factors in [(2, 2), (3, 3), (1, 4), (5, 2)]:
            add(file, f"up_{mode}_{factors[0]}_{factors[1]}", nn.Upsample(scale_factor=factors, mode=mode, **kwargs),
                normal(2, 3, 4, 3), **pictures)

    add(file, "conv1d", nn.Conv1d(4, 6, 3), normal(2, 9, 4), **sequences)
    add(file, "conv1d_all", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), normal(2, 10, 4),
        **sequences)
    add(file, "conv1d_causal", nn.Conv1d(3, 5, 3, dilation=2), normal(2, 8, 3),
        before=lambda x: nn.functional.pad(time_last(x), (4, 0)), after=time_last)
    add(file, "max_pool1d", nn.MaxPool1d(3, 2), normal(2, 9, 3), **sequences)
    add(file, "average_pool1d", nn.AvgPool1d(2), normal(2, 9, 3), **sequences)
    add(file, "zero_padding", nn.ZeroPad2d((3, 0, 1, 2)), normal(1, 2, 3, 2), **pictures)
    add(file, "elu", nn.ELU(0.7), normal(4, 6))
    file.write()

    file = File("sequences")
    add(file, "layer_norm", nn.LayerNorm(7, eps=2.0**-10), normal(2, 5, 7))
    add(file, "self_attention", SelfAttention(12, 3), normal(2, 5, 12))
    add(file, "self_attention_causal", SelfAttention(10, 2, causal=True, bias=False), normal(2, 7, 10))
    for name, kind in [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]:
        make = lambda inputs, units, kind=kind, **more: kind(inputs, units, batch_first=True, **more).double()
        add(file, f"{name}_sequences", Recurrent(make(5, 7)), normal(3, 6, 5))
        add(file, f"{name}_last", Recurrent(make(4, 3), sequences=False), normal(2, 5, 4))
        add(file, f"{name}_both_ways", Recurrent(make(3, 5, bidirectional=True)), normal(2, 7, 3))
        add(file, f"{name}_both_ways_last", Recurrent(make(3, 5, bidirectional=True), sequences=False), normal(2, 4, 3))
        add(file, f"{name}_lengths", Recurrent(make(3, 4, bidirectional=True), lengths=[2, 5, 4]), normal(3, 5, 3))
        add(file, f"{name}_lengths_last", Recurrent(make(3, 4), sequences=False, lengths=[2, 5, 4]), normal(3, 5, 3))
    add(file, "rnn_relu", Recurrent(nn.RNN(5, 7, nonlinearity="relu", batch_first=True).double()), normal(3, 6, 5))
    add(file, "lstm_without_bias", Recurrent(nn.LSTM(5, 4, bias=False, batch_first=True).double()), normal(3, 6, 5))
    file.write()


if __name__ == "__main__":
    main()
