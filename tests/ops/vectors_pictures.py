"""Of pictures: convolution, pooling, batch norm, batches of images.

make_vectors.py calls these in its own order, which fixes the random numbers.
"""
import torch
import torch.nn.functional as F

from vector_file import File, exact, nchw, nhwc, normal, padded, uniform


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


def conv_residual():
    file = File("conv2d_residual")

    def add(name, x, w, y, bias=True, stride=(1, 1), padding=(1, 1, 1, 1), groups=1, relu=True):
        def run(inputs):
            y = F.conv2d(padded(nchw(inputs[0]), padding), nchw(inputs[1]), inputs[2], stride, 0, 1, groups)
            y = nhwc(y) + inputs[3]
            return F.relu(y) if relu else y

        options = dict(stride=stride, padding=padding, dilation=(1, 1), groups=groups, relu=relu)
        file.case(name, "conv2d", options, [normal(*x), normal(*w), normal(w[0]) if bias else None, normal(*y)], run)

    add("plain", (2, 7, 6, 3), (4, 3, 3, 3), (2, 7, 6, 4), relu=False)
    add("no_bias", (1, 6, 5, 4), (5, 3, 3, 4), (1, 6, 5, 5), bias=False)
    add("no_bias_no_relu", (1, 6, 5, 4), (5, 1, 1, 4), (1, 6, 5, 5), bias=False, padding=(0, 0, 0, 0), relu=False)
    add("stride_2", (2, 9, 8, 3), (4, 3, 3, 3), (2, 5, 4, 4), stride=(2, 2))
    add("groups", (1, 6, 5, 6), (8, 3, 3, 3), (1, 6, 5, 8), groups=2)
    add("depthwise", (1, 6, 6, 8), (8, 3, 3, 1), (1, 6, 6, 8), groups=8)
    add("sixteen_channels", (1, 8, 8, 16), (16, 3, 3, 16), (1, 8, 8, 16))
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


def batch_norm_pool():
    file = File("batch_norm_pool")
    epsilon, momentum = 2.0**-10, 0.25

    def add(name, shape, kernel, stride, padding=(0, 0, 0, 0), relu=True, scale=True, offset=True):
        channels = shape[-1]

        def run(inputs):
            x, scale, offset, mean, variance = inputs
            mean, variance = mean.detach().clone(), variance.detach().clone()
            y = F.batch_norm(nchw(x), mean, variance, scale, offset, True, momentum, epsilon)
            y = F.relu(y) if relu else y
            return nhwc(F.max_pool2d(padded(y, padding, -torch.inf), kernel, stride)), mean, variance

        options = dict(kernel=kernel, stride=stride, padding=padding, relu=relu, training=True, unbiased=True,
                       epsilon=epsilon, momentum=momentum)
        inputs = [normal(*shape) * 2 + 1, normal(channels) if scale else None, normal(channels) if offset else None,
                  normal(channels), uniform(0.5, 2, channels)]
        file.case(name, "batch_norm_max_pool2d", options, [t if t is None else exact(t) for t in inputs], run,
                  wanted={0, 1, 2})

    add("halves", (2, 6, 8, 5), (2, 2), (2, 2))
    add("halves_no_relu", (2, 6, 8, 5), (2, 2), (2, 2), relu=False)
    add("stem", (2, 9, 9, 16), (3, 3), (2, 2), padding=(1, 1, 1, 1))
    add("overlapping", (1, 8, 8, 4), (3, 3), (1, 1), padding=(1, 1, 1, 1), relu=False)
    add("asymmetric", (2, 8, 7, 3), (3, 2), (2, 3), padding=(0, 2, 1, 0))
    add("whole", (3, 5, 4, 6), (5, 4), (5, 4))
    add("no_scale", (2, 6, 6, 4), (2, 2), (2, 2), scale=False)
    add("bare", (2, 6, 6, 4), (2, 2), (2, 2), scale=False, offset=False, relu=False)
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
