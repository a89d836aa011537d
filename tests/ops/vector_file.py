"""The files that make_vectors.py writes: cases, their gradients, and the format (no package needed)."""
import json
import pathlib
import struct

import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).resolve().parent / "vectors"
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8",
          torch.bool: "BOOL"}
LIMIT = 200_000  # bytes of a file


class File:
    def __init__(self, name):
        self.name = name
        self.tensors = {}
        self.metadata = {"torch": torch.__version__}

    def put(self, name, tensor):
        tensor = tensor.detach()
        if "/in." in name:
            tensor = tensor.float() if tensor.is_floating_point() else tensor
        self.tensors[name] = tensor.contiguous()

    def case(self, name, operation, options, inputs, function, wanted=None):
        """function(inputs) gives one result or several; gradients flow to the floating inputs (or to `wanted`)."""
        assert name not in self.metadata, name
        self.metadata[name] = json.dumps({"operation": operation, **options})
        for i, tensor in enumerate(inputs):
            if tensor is not None:
                self.put(f"{name}/in.{i}", tensor)
        leaves = []
        for i, tensor in enumerate(inputs):
            if tensor is None:
                leaves.append(None)
                continue
            leaf = tensor.clone()
            if leaf.is_floating_point() and (wanted is None or i in wanted):
                leaf.requires_grad_()
            leaves.append(leaf)
        results = function(leaves)
        if not isinstance(results, (tuple, list)):
            results = [results]
        total = 0
        for i, result in enumerate(results):
            self.put(f"{name}/out.{i}", result)
            if result.requires_grad:
                weights = normal(*result.shape)
                self.tensors[f"{name}/dout.{i}"] = weights.float()
                total = total + (result * weights).sum()
        if not isinstance(total, torch.Tensor):
            return
        wanted_leaves = [(i, leaf) for i, leaf in enumerate(leaves) if leaf is not None and leaf.requires_grad]
        gradients = torch.autograd.grad(total, [leaf for _, leaf in wanted_leaves])
        for (i, _), gradient in zip(wanted_leaves, gradients):
            self.put(f"{name}/din.{i}", gradient)

    def write(self):
        """8 bytes of length, the header in JSON, the data: wide types first, so that each tensor is aligned."""
        header, data = {"__metadata__": self.metadata}, b""
        for name, tensor in sorted(self.tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
            blob = tensor.numpy().tobytes()
            header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape),
                            "data_offsets": [len(data), len(data) + len(blob)]}
            data += blob
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = FOLDER / f"{self.name}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        assert path.stat().st_size < LIMIT, (path, path.stat().st_size)


def exact(tensor):
    return tensor.float().double()


def normal(*shape):
    return exact(torch.randn(shape, dtype=torch.float64))


def uniform(low, high, *shape):
    return exact(low + (high - low) * torch.rand(shape, dtype=torch.float64))


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def padded(x, padding, value=0.0):
    """Heddle's top, bottom, left, right around NCHW."""
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom), value=value)
