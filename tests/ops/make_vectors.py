#!/usr/bin/env python3
"""Makes tests/ops/vectors/*.safetensors: values and gradients as PyTorch computes them, in f64.

make_vectors.py            (needs Debian's python3-torch; the test that reads the files needs nothing)

Inputs are numbers that f32 holds exactly, so that f32 and f64 start from the same ones; results are stored as f64.
Tensors are in Heddle's layouts: pictures NHWC, convolution weights OHWI, Dense weights [out, in]. A file's metadata
maps each case to its operation and options (JSON); its tensors are

    CASE/in.I    an input (an absent one was not given)       CASE/out.I   a result
    CASE/dout.I  the gradient that came back to result I      CASE/din.I   the gradient of input I, where wanted
"""
import torch

from vector_file import FOLDER
from vectors_numbers import elementwise, reduce, copy
from vectors_pictures import conv, conv_residual, pool, batch_norm, batch_norm_pool, image
from vectors_sequences import layer_norm, attention, rnn
from vectors_training import linear, softmax, loss, optimizers, more_optimizers

if __name__ == "__main__":
    torch.manual_seed(20)
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    # In this order, whoever is added comes last: all draw from one generator.
    for make in (conv, pool, batch_norm, linear, softmax, loss, elementwise, reduce,
                 copy, image, optimizers, layer_norm, attention, rnn, conv_residual, batch_norm_pool,
                 more_optimizers):
        make()
