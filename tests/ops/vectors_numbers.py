"""Of any tensors: elementwise operations, reductions, copies.

make_vectors.py calls these in its own order, which fixes the random numbers.
"""
import torch
import torch.nn.functional as F

from vector_file import File, exact, nchw, nhwc, normal, uniform


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
