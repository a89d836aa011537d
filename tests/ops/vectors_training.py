"""Of training: products, softmax, losses, optimizer steps.

make_vectors.py calls these in its own order, which fixes the random numbers.
"""
import functools
import importlib
import inspect
import json

import torch
import torch.nn.functional as F

from vector_file import File, exact, normal, uniform


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


steps, rate = 4, 0.0625  # of the optimizers


def add_steps(file, name, operation, make, **options):
    """CASE/in.0, in.1: two parameters; in.2 ...: their gradients, step by step; out: the parameters after each step."""
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


def optimizers():
    file = File("optimizers")
    add = functools.partial(add_steps, file)
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


def mend_nadam():
    """PyTorch 1.13 has mu_t twice in the product up to mu_(t+1), against its documentation; PyTorch 2 has it once."""
    module = importlib.import_module("torch.optim.nadam")
    source = inspect.getsource(module._single_tensor_nadam)
    exec(source.replace("mu_product * mu * mu_next", "mu_product * mu_next"), vars(module))


def more_optimizers():
    file = File("more_optimizers")
    add = functools.partial(add_steps, file)
    mend_nadam()
    torch.set_default_dtype(torch.float64)  # of NAdam's product
    nadam = [("nadam", {}), ("nadam_keras", dict(momentum_decay=1.0)),
             ("nadam_all", dict(momentum_decay=0.25, betas=(0.75, 0.95), eps=2.0**-10, weight_decay=0.125))]
    for name, options in nadam:
        add(name, "adam_step", lambda p, o=options: torch.optim.NAdam(p, rate, **o), kind="nadam", **options)
    torch.set_default_dtype(torch.float32)
    for name, options in [("adamax", {}), ("adamax_all", dict(betas=(0.75, 0.95), eps=2.0**-10, weight_decay=0.125))]:
        add(name, "adam_step", lambda p, o=options: torch.optim.Adamax(p, rate, **o), kind="adamax", **options)
    for name, first, options in [("adagrad", 0.0, {}), ("adagrad_all", 0.125, dict(eps=2.0**-10, weight_decay=0.125))]:
        add(name, "rmsprop_step",
            lambda p, f=first, o=options: torch.optim.Adagrad(p, rate, initial_accumulator_value=f, **o),
            accumulate=True, first=first, **{"eps": 1e-10, **options})
    for name, options in [("adadelta", dict(eps=2.0**-20)), ("adadelta_all", dict(rho=0.75, eps=2.0**-10, weight_decay=0.125))]:
        add(name, "rmsprop_step", lambda p, o=options: torch.optim.Adadelta(p, rate, **o), adadelta=True,
            alpha=options.get("rho", 0.9), **options)
    file.write()
