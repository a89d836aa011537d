#!/usr/bin/env python3
"""Makes tests/ops/vectors/*.safetensors: values and gradients as PyTorch computes them, in f64.

make_vectors.py            (needs Debian's python3-torch; the test that reads the files needs nothing)

Inputs are numbers that f32 holds exactly, so that f32 and f64 start from the same ones; results are stored as f64.
Tensors are in Heddle's layouts: pictures NHWC, convolution weights OHWI, Dense weights [out, in]. A file's metadata
maps each case to its operation and options (JSON); its tensors are

    CASE/in.I    an input (an absent one was not given)       CASE/out.I   a result
    CASE/dout.I  the gradient that came back to result I      CASE/din.I   the gradient of input I, where wanted
"""
import json

import torch
import torch.nn.functional as F

from vector_file import FOLDER, File, exact, nchw, nhwc, normal, padded, uniform


def conv():
    file = File("conv2d")

    def add(name, x, w, bias=True, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1, relu=False):
        def run(inputs):
            y = F.conv2d(padded(nchw(inputs[0]), padding), nchw(inputs[1]), inputs[2], stride, 0, dilation, groups)
            return nhwc(F.relu(y) if relu else y)

        options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups, relu=relu)
        file.case(name, "conv2d", options, [normal(*x), normal(*w), normal(w[0]) if bias else None], run)

    add("same_3x3", (2, 7, 6, 3), (4, 3, 3, 3), padding=(1, 1, 1, 1))
    add("no_bias", (1, 6, 6, 4), (5, 3, 3, 4), bias=False)
    add("stride_2", (2, 9, 8, 3), (4, 3, 3, 3), stride=(2, 2), padding=(1, 1, 1, 1))
    add("strides_differ", (1, 9, 10, 2), (3, 3, 2, 2), stride=(2, 3))
    add("padding_asymmetric", (2, 8, 8, 3), (4, 3, 3, 3), stride=(2, 2), padding=(0, 1, 2, 1))
    add("dilation", (1, 9, 8, 2), (3, 3, 2, 2), dilation=(2, 3), padding=(2, 2, 1, 1))
    add("groups", (1, 6, 5, 6), (8, 3, 3, 3), groups=2, padding=(1, 1, 1, 1))
    add("depthwise", (1, 6, 6, 8), (8, 3, 3, 1), groups=8, padding=(1, 1, 1, 1))
    add("pointwise", (2, 5, 5, 6), (7, 1, 1, 6))
    add("pointwise_stride_2", (2, 6, 6, 4), (6, 1, 1, 4), stride=(2, 2))
    add("large_kernel", (1, 10, 9, 2), (3, 7, 7, 2), stride=(2, 2), padding=(3, 3, 3, 3))
    add("relu", (2, 6, 6, 3), (5, 3, 3, 3), padding=(1, 1, 1, 1), relu=True)
    add("sixteen_channels", (1, 8, 8, 16), (16, 3, 3, 16), padding=(1, 1, 1, 1))
    add("sixteen_channels_relu", (1, 6, 6, 16), (16, 3, 3, 16), padding=(1, 1, 1, 1), relu=True)
    file.write()


def pool():
    file = File("pool")

    def add(name, shape, kernel, stride, padding=(0, 0, 0, 0), relu=False, count_padding=None, ties=False):
        def run(inputs):
            x = nchw(inputs[0])
            if count_padding is None:
                y = F.max_pool2d(padded(x, padding, -torch.inf), kernel, stride)
                y = F.relu(y) if relu else y
            else:
                total = F.avg_pool2d(padded(x, padding), kernel, stride, divisor_override=1)
                ones = torch.ones_like(x) if not count_padding else None
                count = (kernel[0] * kernel[1] if count_padding
                         else F.avg_pool2d(padded(ones, padding), kernel, stride, divisor_override=1))
                y = total / count
            return nhwc(y)

        options = dict(kernel=kernel, stride=stride, padding=padding, relu=relu)
        if count_padding is not None:
            options["count_padding"] = count_padding
        x = normal(*shape)
        if ties:
            x = x.round()  # many equal elements: the first of a window gets the gradient
        file.case(name, "max_pool2d" if count_padding is None else "avg_pool2d", options, [x], run)

    add("max_2x2", (2, 6, 8, 3), (2, 2), (2, 2))
    add("max_relu", (2, 6, 8, 3), (2, 2), (2, 2), relu=True)
    add("max_overlapping", (2, 9, 9, 4), (3, 3), (2, 2), padding=(1, 1, 1, 1))
    add("max_overlapping_relu", (1, 8, 8, 5), (3, 3), (1, 1), padding=(1, 1, 1, 1), relu=True)
    add("max_asymmetric", (1, 8, 7, 3), (3, 2), (2, 3), padding=(0, 2, 1, 0))
    add("max_ties", (1, 8, 8, 3), (3, 3), (2, 2), padding=(1, 1, 1, 1), ties=True)
    add("max_whole", (2, 5, 4, 6), (5, 4), (5, 4))
    add("avg_2x2", (2, 6, 8, 3), (2, 2), (2, 2), count_padding=True)
    add("avg_counting", (2, 7, 7, 4), (3, 3), (2, 2), padding=(1, 1, 1, 1), count_padding=True)
    add("avg_not_counting", (2, 7, 7, 4), (3, 3), (2, 2), padding=(1, 1, 1, 1), count_padding=False)
    add("avg_asymmetric", (1, 8, 7, 3), (3, 2), (1, 2), padding=(0, 2, 1, 0), count_padding=False)
    add("avg_whole", (2, 5, 4, 6), (5, 4), (5, 4), count_padding=True)
    file.write()


def batch_norm():
    file = File("batch_norm")
    epsilon, momentum = 2.0**-10, 0.25

    def add(name, shape, training, scale=True, offset=True, residual=False, relu=False, unbiased=True, running=True):
        channels = shape[-1]

        def run(inputs):
            x, scale, offset, mean, variance, residual = inputs
            flat = x.reshape(-1, channels)
            if running:
                mean, variance = mean.detach().clone(), variance.detach().clone()
            y = F.batch_norm(flat, mean, variance, scale, offset, training, momentum, epsilon).reshape(shape)
            y = y if residual is None else y + residual
            y = F.relu(y) if relu else y
            if not training or not running:
                return y
            if not unbiased:
                before = inputs[4].detach()
                variance = before * (1 - momentum) + momentum * flat.detach().var(0, unbiased=False)
            return y, mean, variance

        options = dict(training=training, relu=relu, unbiased=unbiased, epsilon=epsilon, momentum=momentum)
        inputs = [normal(*shape) * 2 + 1, uniform(0.5, 2, channels) if scale else None,
                  normal(channels) if offset else None, normal(channels) if running else None,
                  uniform(0.5, 2, channels) if running else None, normal(*shape) if residual else None]
        file.case(name, "batch_norm", options, [t if t is None else exact(t) for t in inputs], run, wanted={0, 1, 2, 5})

    add("training", (4, 3, 3, 5), True)
    add("training_dense", (16, 6), True)
    add("training_biased_running", (4, 3, 3, 5), True, unbiased=False)
    add("training_without_running", (4, 3, 3, 5), True, running=False)
    add("training_relu", (4, 3, 3, 5), True, relu=True)
    add("training_residual_relu", (3, 4, 3, 16), True, residual=True, relu=True)
    add("training_without_scale", (3, 4, 3, 4), True, scale=False)
    add("training_without_offset", (3, 4, 3, 4), True, offset=False)
    add("training_bare_residual", (3, 4, 3, 4), True, scale=False, offset=False, residual=True)
    add("inference", (4, 3, 3, 5), False)
    add("inference_residual_relu", (3, 4, 3, 16), False, residual=True, relu=True)
    add("inference_bare", (3, 4, 3, 4), False, scale=False, offset=False)
    file.write()


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


def linear():
    file = File("linear")
    for name, x, w, bias, relu in [("linear", (5, 7), (4, 7), True, False), ("no_bias", (5, 7), (4, 7), False, False),
                                   ("relu", (6, 16), (32, 16), True, True), ("more_axes", (2, 3, 8), (5, 8), True, False),
                                   ("vector", (8,), (3, 8), True, True)]:
        file.case(name, "linear", dict(relu=relu), [normal(*x), normal(*w), normal(w[0]) if bias else None],
                  lambda t, relu=relu: F.relu(F.linear(*t)) if relu else F.linear(*t))
    for transposes in range(4):
        ta, tb = transposes & 1 == 1, transposes & 2 == 2
        for batch_a, batch_b in [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((3,), ()), ((), (3,))]:
            a, b = (4, 6), (6, 5)
            a, b = batch_a + (a[::-1] if ta else a), batch_b + (b[::-1] if tb else b)
            name = f"matmul_{'t' if ta else 'n'}{'t' if tb else 'n'}_{len(batch_a)}_{len(batch_b)}"
            file.case(name, "matmul", dict(transpose_a=ta, transpose_b=tb), [normal(*a), normal(*b)],
                      lambda t, ta=ta, tb=tb: (t[0].mT if ta else t[0]) @ (t[1].mT if tb else t[1]))
    file.write()


def softmax():
    file = File("softmax")
    for name, x in [("plain", normal(6, 10)), ("wide", normal(3, 130)), ("large", normal(4, 9) * 200),
                    ("vector", normal(5)), ("three_axes", normal(2, 3, 4))]:
        file.case(f"softmax_{name}", "softmax", {}, [exact(x)], lambda t: torch.softmax(t[0], -1))
        file.case(f"log_softmax_{name}", "log_softmax", {}, [exact(x)], lambda t: torch.log_softmax(t[0], -1))
    file.write()


def loss():
    file = File("loss")
    rows, classes = 8, 6

    def sparse(name, labels, smoothing=0.0, ignore_index=None, scale=1.0):
        options = dict(label_smoothing=smoothing)
        arguments = dict(label_smoothing=smoothing)
        if ignore_index is not None:
            options["ignore_index"] = arguments["ignore_index"] = ignore_index
        file.case(name, "cross_entropy", options, [exact(normal(*labels.shape, classes) * scale), labels],
                  lambda t: F.cross_entropy(t[0].reshape(-1, classes), t[1].reshape(-1).long(), **arguments))

    labels = torch.randint(0, classes, (rows,))
    sparse("sparse", labels)
    sparse("sparse_i32", labels.int())
    sparse("sparse_u8", labels.to(torch.uint8))
    sparse("smoothing", labels, smoothing=0.125)
    sparse("large_logits", labels, scale=100.0)
    sparse("more_axes", torch.randint(0, classes, (2, 4)))
    ignored = labels.clone()
    ignored[[1, 4, 5]] = -1
    sparse("ignore_index", ignored, ignore_index=-1)
    sparse("ignore_index_inside", labels, ignore_index=int(labels[2]))
    # PyTorch smooths the loss of every row that is not ignored.
    sparse("ignore_index_smoothing", ignored, smoothing=0.125, ignore_index=-1)
    probabilities = exact(torch.softmax(normal(rows, classes), -1))
    for name, smoothing in [("dense", 0.0), ("dense_smoothing", 0.25)]:
        file.case(name, "cross_entropy", dict(label_smoothing=smoothing), [normal(rows, classes), probabilities],
                  lambda t, s=smoothing: F.cross_entropy(t[0], t[1], label_smoothing=s), wanted={0})
    given = exact(torch.softmax(normal(rows, classes), -1))
    file.case("from_probabilities", "cross_entropy", dict(from_logits=False), [given, labels],
              lambda t: F.nll_loss(torch.log(t[0] / t[0].sum(-1, keepdim=True)), t[1]), wanted={0})
    file.case("from_probabilities_dense", "cross_entropy", dict(from_logits=False), [given, probabilities],
              lambda t: -(t[1] * torch.log(t[0] / t[0].sum(-1, keepdim=True))).sum(-1).mean(), wanted={0})

    prediction, target = normal(8, 4), normal(8, 4)
    target[0] = prediction[0]  # no error at all: the kink of the absolute error
    file.case("mse", "mean_squared_error", {}, [prediction, target], lambda t: F.mse_loss(*t))
    file.case("mae", "mean_absolute_error", {}, [prediction, target], lambda t: F.l1_loss(*t))
    for delta in (0.5, 1.0):
        file.case(f"huber_{delta}", "huber", dict(delta=delta), [prediction, target],
                  lambda t, d=delta: F.huber_loss(*t, delta=d))
    logits = exact(normal(8, 4) * 10)
    file.case("bce_with_logits", "binary_cross_entropy", dict(from_logits=True), [logits, uniform(0, 1, 8, 4)],
              lambda t: F.binary_cross_entropy_with_logits(*t))
    file.case("bce", "binary_cross_entropy", dict(from_logits=False),
              [uniform(0.01, 0.99, 8, 4), uniform(0, 1, 8, 4)],
              lambda t: -(t[1] * torch.log(t[0]) + (1 - t[1]) * torch.log1p(-t[0])).mean())
    file.write()


def elementwise():
    file = File("elementwise")
    line = exact(torch.cat([torch.linspace(-6, 6, 49, dtype=torch.float64), normal(15)]))  # has 0 and halves
    positive = uniform(0.0625, 8, 64)
    unary = {
        "negate": torch.neg, "abs": torch.abs, "sign": torch.sign, "square": torch.square, "exp": torch.exp,
        "expm1": torch.expm1, "sin": torch.sin, "cos": torch.cos, "floor": torch.floor, "ceil": torch.ceil,
        "round": torch.round, "erf": torch.erf, "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.25),
        "elu": lambda x: F.elu(x, 0.25), "selu": F.selu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
        "softsign": F.softsign,
    }
    for name, function in unary.items():
        file.case(name, "unary", dict(name=name, alpha=0.25), [line], lambda t, f=function: f(t[0]))
    for name in ["reciprocal", "sqrt", "rsqrt", "log", "log1p"]:
        file.case(name, "unary", dict(name=name), [positive], lambda t, f=getattr(torch, name): f(t[0]))

    binary = {"add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div,
              "maximum": torch.maximum, "minimum": torch.minimum, "power": torch.pow}
    shapes = {"same": ((3, 4), (3, 4)), "row": ((3, 4), (4,)), "column": ((3, 4), (3, 1)), "scalar": ((3, 4), ()),
              "both": ((3, 1, 4), (2, 1)), "first": ((4,), (2, 3, 4))}
    for name, function in binary.items():
        for pattern, (a, b) in shapes.items():
            x = uniform(0.5, 2, *a) if name == "power" else normal(*a).abs() + 0.5 if name == "divide" else normal(*a)
            y = uniform(0.5, 2, *b)
            file.case(f"{name}_{pattern}", "binary", dict(name=name), [exact(x), y],
                      lambda t, f=function: f(t[0], t[1]))
    ties = torch.tensor([1.0, 2.0, 3.0, -1.0], dtype=torch.float64)
    for name in ("maximum", "minimum"):
        file.case(f"{name}_ties", "binary", dict(name=name), [ties, ties.flip(0) * torch.tensor([-1.0, 1, 1, 1])],
                  lambda t, f=binary[name]: f(t[0], t[1]))
    base = torch.tensor([0.0, 0.0, 0.0, 2.0, -2.0, -3.0], dtype=torch.float64)
    exponent = torch.tensor([0.0, 1.0, 2.0, 0.0, 0.0, 2.0], dtype=torch.float64)
    file.case("power_of_zero", "binary", dict(name="power"), [base, exponent], lambda t: torch.pow(t[0], t[1]),
              wanted={0})
    file.case("power_of_zero_exponent", "binary", dict(name="power"), [base[:4].clone(), exponent[:4].clone()],
              lambda t: torch.pow(t[0], t[1]), wanted={1})
    for exponent in (0.0, 1.0, 2.0, 3.0):
        file.case(f"power_scalar_{exponent:g}", "scalar", dict(name="power", scalar=exponent), [base],
                  lambda t, e=exponent: torch.pow(t[0], e))

    for name, compare in [("equal", torch.eq), ("not_equal", torch.ne), ("less", torch.lt), ("less_equal", torch.le),
                          ("greater", torch.gt), ("greater_equal", torch.ge), ("logical_and", torch.logical_and),
                          ("logical_or", torch.logical_or)]:
        file.case(name, "binary", dict(name=name), [normal(4, 3).round(), normal(3).round()],
                  lambda t, f=compare: f(t[0], t[1]), wanted=set())

    for name, function in binary.items():
        for first in (False, True):
            scalar = 1.5
            x = uniform(0.5, 2, 3, 5)
            file.case(f"{name}_scalar_{'first' if first else 'second'}", "scalar",
                      dict(name=name, scalar=scalar, first=first), [x],
                      lambda t, f=function, first=first: f(torch.tensor(scalar).double(), t[0]) if first
                      else f(t[0], torch.tensor(scalar).double()))

    condition = torch.rand(3, 4) > 0.5
    file.case("where", "where", {}, [condition, normal(3, 4), normal(3, 4)], lambda t: torch.where(*t))
    file.case("where_broadcast", "where", {}, [condition, normal(4), normal(2, 3, 1)], lambda t: torch.where(*t))
    file.case("clip", "clip", dict(low=-1.5, high=2.0), [line], lambda t: torch.clamp(t[0], -1.5, 2.0))
    file.case("to_i32", "to", dict(dtype="i32"), [exact(normal(40) * 20)], lambda t: t[0].to(torch.int32), wanted=set())
    file.case("to_boolean", "to", dict(dtype="boolean"), [normal(40).round()], lambda t: t[0].to(torch.bool),
              wanted=set())
    file.case("full", "full", dict(value=2.5), [normal(3, 4)], lambda t: torch.full_like(t[0], 2.5), wanted=set())
    file.case("accumulate", "accumulate", {}, [normal(6, 5)], lambda t: t[0] * t[0] + torch.exp(t[0]) - t[0])
    file.write()


def reduce():
    file = File("reduce")
    functions = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin}
    for name, function in functions.items():
        for axes in [(0, 1, 2), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]:
            for keep in (False, True):
                if keep and axes not in ((1,), (0, 2)):
                    continue
                label = "".join(map(str, axes)) + ("_keep" if keep else "")
                file.case(f"{name}_{label}", "reduce", dict(name=name, axes=axes, keep=keep), [normal(3, 5, 4)],
                          lambda t, f=function, a=axes, k=keep: f(t[0], dim=a, keepdim=k))
        file.case(f"{name}_ties", "reduce", dict(name=name, axes=[1], keep=False), [normal(6, 8).round()],
                  lambda t, f=function: f(t[0], dim=(1,)))
    file.case("sum_long", "reduce", dict(name="sum", axes=[0], keep=False), [normal(3000)], lambda t: t[0].sum((0,)))
    for name, function in [("argmax", torch.argmax), ("argmin", torch.argmin)]:
        for axis in (0, 1, 2):
            file.case(f"{name}_{axis}", name, dict(axis=axis), [normal(3, 5, 4)],
                      lambda t, f=function, a=axis: f(t[0], dim=a), wanted=set())
    for k in (1, 3, 9):
        file.case(f"topk_{k}", "topk", dict(k=k), [normal(4, 9)], lambda t, k=k: tuple(torch.topk(t[0], k, dim=-1)))
    repeated = normal(4, 12).round()
    file.case("sort_stable", "topk", dict(k=12), [repeated],
              lambda t: tuple(torch.sort(t[0], dim=-1, descending=True, stable=True)))
    file.write()


def copy():
    file = File("copy")
    for axes in [(0, 3, 1, 2), (0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 2, 3)]:
        file.case("permute_" + "".join(map(str, axes)), "permute", dict(axes=axes), [normal(2, 3, 4, 5)],
                  lambda t, a=axes: t[0].permute(a))
    for axis in (0, 1, 2):
        shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
        shapes[1][axis], shapes[2][axis] = 1, 5
        file.case(f"concat_{axis}", "concat", dict(axis=axis), [normal(*s) for s in shapes],
                  lambda t, a=axis: torch.cat(t, a))
        extents = {0: [1, 5], 1: [2, 3, 2], 2: [4, 1]}[axis]
        file.case(f"split_{axis}", "split", dict(axis=axis, extents=extents), [normal(6, 7, 5)],
                  lambda t, a=axis, e=extents: torch.split(t[0], e, a))
    file.case("stack", "stack", {}, [normal(3, 4), normal(3, 4)], lambda t: torch.stack(t))
    file.case("broadcast_to", "broadcast_to", dict(shape=[2, 3, 4]), [normal(3, 1)],
              lambda t: t[0].broadcast_to(2, 3, 4))
    # PyTorch pads two axes of four at most in these modes: NCHW's height and width.
    widths = [[0, 0], [1, 2], [2, 1], [0, 0]]
    for mode, theirs in [("constant", "constant"), ("reflect", "reflect"), ("edge", "replicate")]:
        file.case(f"pad_{mode}", "pad", dict(mode=mode, value=1.5, widths=widths), [normal(2, 4, 5, 3)],
                  lambda t, m=theirs: nhwc(F.pad(nchw(t[0]), (2, 1, 1, 2), m, **({"value": 1.5} if m == "constant" else {}))))
    file.case("slice", "slice", dict(ranges=[[1, 3, 1], [0, 7, 2], [-3, -1, 1]]), [normal(4, 7, 5)],
              lambda t: t[0][1:3, 0:7:2, -3:-1])
    file.case("slice_rows", "slice", dict(ranges=[[2, 100, 3]]), [normal(9, 4)], lambda t: t[0][2::3])
    for axis in (0, 1):
        file.case(f"flip_{axis}", "flip", dict(axis=axis), [normal(3, 4, 2)], lambda t, a=axis: t[0].flip(a))
    indices = torch.tensor([2, 0, 2, 1, 2])
    for axis in (0, 1):
        file.case(f"gather_{axis}", "gather", dict(axis=axis), [normal(4, 5, 3), indices],
                  lambda t, a=axis: torch.index_select(t[0], a, t[1]))
    file.case("gather_embedding", "gather", dict(axis=0), [normal(7, 6), torch.randint(0, 7, (3, 4)).int()],
              lambda t: F.embedding(t[1], t[0]))
    file.case("take_along", "take_along", {}, [normal(4, 6), torch.randint(0, 6, (4, 5))],
              lambda t: torch.gather(t[0], -1, t[1]))
    file.case("one_hot", "one_hot", dict(classes=6), [torch.randint(0, 6, (3, 4))],
              lambda t: F.one_hot(t[0], 6))
    file.write()


def image():
    file = File("image")
    for name, shape, target in [("enlarge", (2, 5, 4, 3), (9, 11)), ("shrink", (2, 9, 8, 3), (4, 5)),
                                ("odd", (1, 7, 7, 1), (10, 3))]:
        file.case(f"resize_{name}", "resize_bilinear", dict(height=target[0], width=target[1]), [normal(*shape)],
                  lambda t, s=target: nhwc(F.interpolate(nchw(t[0]), s, mode="bilinear", align_corners=False)),
                  wanted=set())
    pictures = torch.randint(0, 256, (6, 8, 8, 3), dtype=torch.uint8)
    indices, mean = torch.tensor([3, 0, 5, 3]), uniform(0, 1, 3)
    inverse_deviation = uniform(2, 5, 3)
    shifts = torch.tensor([[-2, 0], [1, 2], [0, -1], [2, -2]], dtype=torch.int32)
    flips = torch.tensor([0, 1, 1, 0], dtype=torch.uint8)
    for mode in ("zero", "reflect"):
        def run(t, mode=mode):
            x = F.pad(nchw(t[0].double() / 256), (2, 2, 2, 2), "constant" if mode == "zero" else "reflect")
            rows = []
            for i, (dy, dx) in zip(t[1].tolist(), t[2].tolist()):
                rows.append(x[i, :, 2 + dy:10 + dy, 2 + dx:10 + dx])
            y = torch.stack([row.flip(-1) if flip else row for row, flip in zip(rows, t[3].tolist())])
            return (nhwc(y) - t[4]) * t[5]

        file.case(f"image_batch_{mode}", "image_batch", dict(pad=2, mode=mode),
                  [pictures, indices, shifts, flips, mean, inverse_deviation], run, wanted=set())
    file.write()


def optimizers():
    """CASE/in.0, in.1: two parameters; in.2 ...: their gradients, step by step; out: the parameters after each step."""
    file = File("optimizers")
    steps, rate = 4, 0.0625

    def add(name, operation, make, **options):
        assert name not in file.metadata
        file.metadata[name] = json.dumps({"operation": operation, "steps": steps, "learning_rate": rate, **options})
        parameters = [normal(5, 3), normal(7)]
        gradients = [normal(*p.shape) for _ in range(steps) for p in parameters]
        for i, tensor in enumerate(parameters + gradients):
            file.put(f"{name}/in.{i}", tensor)
        leaves = [p.clone().requires_grad_() for p in parameters]
        optimizer = make(leaves)
        for step in range(steps):
            for i, leaf in enumerate(leaves):
                leaf.grad = gradients[2 * step + i].clone()
            optimizer.step()
            for i, leaf in enumerate(leaves):
                file.put(f"{name}/out.{2 * step + i}", leaf.clone())

    sgd = [("sgd", {}), ("sgd_momentum", dict(momentum=0.875)), ("sgd_weight_decay", dict(weight_decay=0.125)),
           ("sgd_nesterov", dict(momentum=0.875, nesterov=True)),
           ("sgd_nesterov_weight_decay", dict(momentum=0.875, nesterov=True, weight_decay=0.125))]
    for name, options in sgd:
        add(name, "sgd_step", lambda p, o=options: torch.optim.SGD(p, rate, **o), **options)
    adam = [("adam", {}), ("adam_weight_decay", dict(weight_decay=0.125)), ("adam_amsgrad", dict(amsgrad=True)),
            ("adam_betas", dict(betas=(0.75, 0.95), eps=2.0**-10)), ("adam_large_epsilon", dict(eps=2.0**-4))]
    for name, options in adam:
        add(name, "adam_step", lambda p, o=options: torch.optim.Adam(p, rate, **o), **options)
    for name, options in [("adamw", dict(weight_decay=0.125)), ("adamw_amsgrad", dict(weight_decay=0.25, amsgrad=True))]:
        add(name, "adam_step", lambda p, o=options: torch.optim.AdamW(p, rate, **o), decoupled=True, **options)
    rmsprop = [("rmsprop", {}), ("rmsprop_momentum", dict(momentum=0.875)), ("rmsprop_centered", dict(centered=True)),
               ("rmsprop_all", dict(momentum=0.5, centered=True, weight_decay=0.125, alpha=0.9, eps=2.0**-10))]
    for name, options in rmsprop:
        add(name, "rmsprop_step", lambda p, o=options: torch.optim.RMSprop(p, rate, **o), **options)
    file.case("gradient_norm", "gradient_norm", dict(f64_tolerance=1e-7), [normal(6, 7), normal(11)],
              lambda t: torch.stack([x.square().sum() for x in t]).sum().sqrt().reshape(1), wanted=set())
    file.write()


if __name__ == "__main__":
    torch.manual_seed(20)
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    for make in (conv, pool, batch_norm, linear, softmax, loss, elementwise, reduce, copy, image, optimizers, layer_norm, attention, rnn):
        make()
