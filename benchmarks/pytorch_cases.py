"""PyTorch's operators as pytorch_operators.py times them: for each operation of `heddle bench`, a function that makes the operands
of one call and returns the call."""

import functools


class Unsupported(Exception):
    """The reason why a case cannot be run."""


class Operands:
    """Makes the inputs of one call, and counts their bytes."""

    def __init__(self, torch, dtype):
        self.torch, self.dtype, self.bytes = torch, dtype, 0

    def _count(self, tensor):
        self.bytes += tensor.numel() * tensor.element_size()
        return tensor

    def normal(self, *shape, dtype=None):
        return self._count(self.torch.randn(shape).to(dtype or self.dtype))

    def pictures(self, n, h, w, c):
        x = self.torch.randn(n, c, h, w).to(self.dtype)
        return self._count(x.contiguous(memory_format=self.torch.channels_last))

    def like(self, tensor):
        return self._count(self.torch.randn_like(tensor, dtype=self.torch.float32).to(tensor.dtype))


def relu_gradient(torch, dy, y):
    return torch.ops.aten.threshold_backward(dy, y, 0)


# Each of these makes the operands of one call and returns the function to time, which returns all tensors that it wrote. `d`: the
# dims of the case.


def convolution(torch, make, d, direction):
    if d["pad_end"] != d["pad"]:
        raise Unsupported("PyTorch pads a convolution the same on both sides")
    x = make.pictures(d["n"], d["h"], d["w"], d["c"])
    w = make.pictures(d["k"], d["r"], d["s"], d["c"] // d["groups"])
    bias = make.normal(d["k"]) if d.get("bias") else None
    place = {"stride": d["stride"], "padding": d["pad"], "dilation": d["dilation"], "groups": d["groups"]}
    forward = torch.nn.functional.conv2d

    if direction == "forward":
        residual = make.like(forward(x, w, None, **place)) if d["residual"] else None

        def run():
            y = forward(x, w, bias, **place)
            if residual is not None:
                y.add_(residual)
            return torch.relu_(y) if d["relu"] else y

        return run
    dy = make.like(forward(x, w, None, **place))
    backward = torch.ops.aten.convolution_backward
    pairs = [[d[name]] * 2 for name in ("stride", "pad", "dilation")]
    wanted = [direction == "data", direction == "weights", direction == "weights" and bool(d["bias"])]
    return lambda: backward(dy, x, w, [d["k"]], *pairs, False, [0, 0], d["groups"], wanted)


def matmul(torch, make, d):
    batch = (d["batch"],) if d["batch"] > 1 else ()
    m, n, k = d["m"], d["n"], d["k"]
    a = make.normal(*batch, k, m).transpose(-1, -2) if d["transpose_a"] else make.normal(*batch, m, k)
    b = make.normal(*batch, n, k).transpose(-1, -2) if d["transpose_b"] else make.normal(*batch, k, n)
    bias = make.normal(n) if d["bias"] else None
    out = torch.empty((*batch, m, n), dtype=make.dtype)

    def run():
        if bias is None:
            torch.matmul(a, b, out=out)
        elif batch:
            torch.matmul(a, b, out=out).add_(bias)
        else:
            torch.addmm(bias, a, b, out=out)
        return out.relu_() if d["relu"] else out

    return run


def batch_norm(torch, make, d, direction):
    x = make.pictures(d["n"], d["h"], d["w"], d["c"])
    wide = torch.float32 if x.element_size() == 2 else x.dtype
    scale, offset, mean, variance = (make.normal(d["c"], dtype=wide).abs() + 0.5 for _ in range(4))
    residual = make.like(x) if d["residual"] else None
    if direction == "backward":
        given, y = make.like(x), make.like(x) if d["relu"] else None
        backward = torch.ops.aten.native_batch_norm_backward

        def run(dy=given):
            g = relu_gradient(torch, dy, y) if d["relu"] else dy
            gradients = backward(g, x, scale, None, None, mean, variance, True, 1e-5, [True, True, True])
            return (*gradients, g) if d["residual"] else gradients

        return run

    training = direction == "forward"

    def run():
        y, *statistics_of_x = torch.native_batch_norm(x, scale, offset, mean, variance, training, 0.1, 1e-5)
        if residual is not None:
            y.add_(residual)
        return y.relu_() if d["relu"] else y, statistics_of_x

    return run


def layer_norm(torch, make, d, direction):
    x, features = make.normal(d["rows"], d["features"]), [d["features"]]
    scale, offset = make.normal(*features), make.normal(*features)
    if direction == "forward":
        return lambda: torch.native_layer_norm(x, features, scale, offset, 1e-5)
    _, mean, inverse_deviation = torch.native_layer_norm(x, features, scale, offset, 1e-5)
    dy, backward = make.like(x), torch.ops.aten.native_layer_norm_backward
    return lambda: backward(dy, x, features, mean, inverse_deviation, scale, offset, [True, True, True])


def softmax(torch, make, d, direction):
    x = make.normal(d["rows"], d["classes"])
    forward = torch.ops.aten._log_softmax if d["log"] else torch.ops.aten._softmax
    backward = torch.ops.aten._log_softmax_backward_data if d["log"] else torch.ops.aten._softmax_backward_data
    out = torch.empty_like(x)
    if direction == "forward":
        return lambda: forward(x, 1, False, out=out)
    dy, y = make.like(x), forward(x, 1, False)
    if d["log"]:
        return lambda: backward(dy, y, 1, x.dtype, out=out)
    return lambda: backward(dy, y, 1, x.dtype, grad_input=out)


def max_pool(torch, make, d, direction):
    x, window = make.pictures(d["n"], d["h"], d["w"], d["c"]), [[d[name]] * 2 for name in ("kernel", "stride", "pad")]

    def forward():
        y, index = torch.ops.aten.max_pool2d_with_indices(x, *window)
        return torch.relu_(y) if d["relu"] else y, index

    if direction == "forward":
        return forward
    (y, index), backward = forward(), torch.ops.aten.max_pool2d_with_indices_backward
    dy = make.like(y)

    def run():
        g = relu_gradient(torch, dy, y) if d["relu"] else dy
        return backward(g, x, *window, [1, 1], False, index)

    return run


def batch_norm_pool(torch, make, d, direction):
    """PyTorch's two operations one after the other, with the ReLU in between."""
    norm_forward = batch_norm(torch, make, {**d, "residual": 0}, "forward")
    norm_backward = batch_norm(torch, make, {**d, "residual": 0}, "backward")
    window, aten = [[d[name]] * 2 for name in ("kernel", "stride", "pad")], torch.ops.aten

    def forward():
        y, statistics = norm_forward()
        return y, statistics, aten.max_pool2d_with_indices(y, *window)

    if direction == "forward":
        return forward
    y, _, (pooled, index) = forward()
    dy = make.like(pooled)

    def run():
        gradient = aten.max_pool2d_with_indices_backward(dy, y, *window, [1, 1], False, index)
        return norm_backward(gradient)

    return run


def average_pool(torch, make, d, direction):
    x, window = make.pictures(d["n"], d["h"], d["w"], d["c"]), [[d[name]] * 2 for name in ("kernel", "stride", "pad")]
    rule, aten = (False, bool(d["count_padding"]), None), torch.ops.aten
    y = aten.avg_pool2d(x, *window, *rule)
    if direction == "forward":
        return lambda: aten.avg_pool2d(x, *window, *rule)
    dy = make.like(y)
    return lambda: aten.avg_pool2d_backward(dy, x, *window, *rule)


def recurrent(torch, make, d, direction):
    kinds = [
        lambda *sizes, **options: torch.nn.RNN(*sizes, nonlinearity="relu", **options),
        lambda *sizes, **options: torch.nn.RNN(*sizes, nonlinearity="tanh", **options),
        torch.nn.LSTM,
        torch.nn.GRU,
    ]
    layer = kinds[d["cell"]](d["inputs"], d["units"], bias=bool(d["bias"]), batch_first=True).to(make.dtype)
    x = make.normal(d["batch"], d["time"], d["inputs"]).requires_grad_()
    make.bytes += sum(p.numel() * p.element_size() for p in layer.parameters())
    if direction == "forward":
        return lambda: layer(x)
    y, inputs = layer(x)[0], [x, *layer.parameters()]
    dy = make.like(y)
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def attention(torch, make, d, direction):
    batch, heads, size, rate = d["batch"], d["heads"], d["size"], d["dropout"] / 100
    gradients = direction == "backward"
    query = make.normal(batch, heads, d["queries"], size).requires_grad_(gradients)
    key, value = (make.normal(batch, heads, d["keys"], size).requires_grad_(gradients) for _ in range(2))
    hidden = None
    if d["causal"]:  # the last query sees all keys
        seen = torch.ones(d["queries"], d["keys"], dtype=torch.bool).tril(d["keys"] - d["queries"])
        hidden = torch.zeros(seen.shape, dtype=make.dtype).masked_fill_(~seen, -float("inf"))

    def explicit():
        q, k, v = (operand.flatten(0, 1) for operand in (query, key, value))
        start = hidden if d["causal"] else query.new_zeros(1)
        scores = torch.baddbmm(start, q, k.transpose(1, 2), beta=int(d["causal"]), alpha=size**-0.5)
        weights = torch.softmax(scores, -1)
        return torch.bmm(torch.dropout(weights, rate, True) if rate else weights, v)

    def fused():
        product = functools.partial(torch.nn.functional.scaled_dot_product_attention, query, key, value, dropout_p=rate)
        if d["causal"] and d["queries"] == d["keys"]:
            return product(is_causal=True)
        return product(attn_mask=hidden)

    forward = fused if hasattr(torch.nn.functional, "scaled_dot_product_attention") else explicit
    if direction == "forward":
        return forward
    y = forward()
    dy = make.like(y)
    return lambda: torch.autograd.grad(y, [query, key, value], dy, retain_graph=True)


def elementwise(torch, make, name):
    a, bias = make.normal(128, 32, 32, 32), make.normal(32)
    if name == "relu_128x32x32x32":
        return lambda: torch.relu(a)
    b = make.like(a) if name == "add_128x32x32x32" else bias
    return lambda: torch.add(a, b)


def reduction(torch, make, name):
    x, axes = (make.normal(4096, 1024), 1) if name == "sum_last_4096x1024" else (make.normal(128, 32, 32, 32), (0, 1, 2))
    return lambda: torch.sum(x, axes)


def permutation(torch, make, name):
    shape, axes = ((2048, 2048), (1, 0)) if name == "transpose_2048x2048" else ((128, 32, 32, 64), (0, 3, 1, 2))
    x = make.normal(*shape).permute(axes)
    return lambda: x.contiguous()


def cross_entropy(torch, make, name):
    rows, classes = (int(number) for number in name.removeprefix("batch").split("x"))
    logits, labels = make.normal(rows, classes), torch.randint(classes, (rows,))
    return lambda: torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)


def optimizer_step(torch, make, name, kind, **options):
    parameter = make.normal(*(int(number) for number in name.removeprefix("dense").split("x"))).requires_grad_()
    parameter.grad = make.like(parameter)
    optimizer = kind(torch)([parameter], lr=0.01, **options)
    optimizer.step()
    make.bytes += sum(state.numel() * 4 for state in optimizer.state[parameter].values() if torch.is_tensor(state))
    return optimizer.step


def named_cases():
    """The cases of the suite memory-bound that have only a name: (operation, case) to (function, whether the call needs a graph)."""
    sgd = {"kind": lambda torch: torch.optim.SGD, "momentum": 0.9, "weight_decay": 1e-4}
    adam = {"kind": lambda torch: torch.optim.AdamW, "weight_decay": 0.01}
    return {
        ("binary", "add_128x32x32x32"): (elementwise, False),
        ("binary", "add_bias_128x32x32x32"): (elementwise, False),
        ("unary", "relu_128x32x32x32"): (elementwise, False),
        ("reduce", "sum_channels_128x32x32x32"): (reduction, False),
        ("reduce", "sum_last_4096x1024"): (reduction, False),
        ("permute", "nhwc_to_nchw_128x32x32x64"): (permutation, False),
        ("permute", "transpose_2048x2048"): (permutation, False),
        ("cross_entropy_forward", "batch128x1000"): (cross_entropy, False),
        ("sgd_step", "dense4096x1024"): (functools.partial(optimizer_step, **sgd), True),
        ("adam_step", "dense4096x1024"): (functools.partial(optimizer_step, **adam), True),
    }


def operations():
    """Name: (function, further arguments: the direction or nothing, whether the timed call needs a graph)."""
    table = {"matmul": (matmul, (), False), "batch_norm_inference": (batch_norm, ("inference",), False)}
    for direction in ("forward", "backward"):
        graph = direction == "backward"
        table["rnn_" + direction] = (recurrent, (direction,), True)
        table["attention_" + direction] = (attention, (direction,), graph)
        for name, function in (
            ("batch_norm", batch_norm),
            ("layer_norm", layer_norm),
            ("softmax", softmax),
            ("batch_norm_pool", batch_norm_pool),
            ("max_pool2d", max_pool),
            ("avg_pool2d", average_pool),
        ):
            table[f"{name}_{direction}"] = (function, (direction,), False)
    for name in ("forward", "backward_data", "backward_weights"):
        table["conv2d_" + name] = (convolution, (name.removeprefix("backward_"),), False)
    return table


def find(case):
    """The function that makes the call of a case, its arguments, and whether the call needs a graph."""
    operation = case["operation"]
    if case["dims"]:
        if operation not in operations():
            raise Unsupported(f"no operator of PyTorch is known for {operation}")
        function, direction, graph = operations()[operation]
        return function, (case["dims"], *direction), graph
    name = case.get("case", "")
    if (operation, name) not in named_cases():
        raise Unsupported(f"no operator of PyTorch is known for {operation} {name}")
    function, graph = named_cases()[operation, name]
    return function, (name,), graph
