#!/usr/bin/env python3
"""The PyTorch side of compare_pytorch.py, a process of its own: pytorch_training.py SPEC, one JSON object, reports one JSON
line."""

import gzip
import json
import os
import pathlib
import sys
import time

import pytorch_examples
import pytorch_models

RATE, MOMENTUM = 0.01, 0.9


def memory(field):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {field}")


def load_pictures(torch, kind, folder):
    """Pictures f32 [N, C, H, W], normalised, and labels."""

    def raw(path):
        opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
        with opened as file:
            return torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)

    if kind == "idx":
        images, labels = (next(folder.glob(f"train-{part}[-.]idx*")) for part in ("images", "labels"))
        x = raw(images)[16:].reshape(-1, 1, 28, 28).float() / 255
        return (x - x.mean()) / x.std(), raw(labels)[8:].long()
    records = torch.cat([raw(path).reshape(-1, 3073) for path in sorted(folder.glob("data_batch_*.bin"))])
    x = records[:, 1:].reshape(-1, 3, 32, 32).float() / 255
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).reshape(1, 3, 1, 1)
    deviation = torch.tensor([0.2470, 0.2435, 0.2616]).reshape(1, 3, 1, 1)
    return (x - mean) / deviation, records[:, 0].long()


def train_pytorch(torch, spec, layout):
    """Pictures a second and peak memory of one training, with its data and without."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    idle = memory("VmRSS")
    if spec["threads"]:
        torch.set_num_threads(spec["threads"])
    torch.manual_seed(0)
    if "unit" in spec:
        rate = pytorch_examples.train(torch, spec, layout, load_pictures)
        return {spec["unit"] + "_per_second": rate}
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    x, y = load_pictures(torch, spec["data"], pathlib.Path(spec["folder"]))
    x = x.to(memory_format=memory_format)
    loaded = memory("VmRSS")
    model = pytorch_models.make_model(torch, spec["model"]).to(memory_format=memory_format)
    if spec["device"] == "cuda":
        return train_on_gpu(torch, spec, x, y, model)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], RATE, momentum=MOMENTUM)
    forward = torch.compile(model) if spec["compiled"] else model

    def train(steps):
        done = pictures = 0
        while done < steps:
            for rows in torch.randperm(len(x)).split(spec["batch_size"]):
                if spec["compiled"] and len(rows) < spec["batch_size"]:  # it would be compiled anew
                    break
                optimizer.zero_grad(set_to_none=True)
                batch = x[rows].contiguous(memory_format=memory_format)
                loss = torch.nn.functional.cross_entropy(forward(batch), y[rows])
                loss.backward()
                optimizer.step()
                done, pictures = done + 1, pictures + len(rows)
                if done == steps:
                    break
        loss.item()
        return pictures

    if spec["compiled"]:
        train(2)
    begin = time.perf_counter()
    pictures = train(spec["steps"])
    seconds = time.perf_counter() - begin
    peak = memory("VmHWM")
    return {"images_per_second": pictures / seconds, "peak_memory": peak - idle, "peak_memory_less_data": peak - loaded}


def train_on_gpu(torch, spec, x, y, model):
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    x, y, model = x.cuda(), y.cuda(), model.cuda()
    if x.is_contiguous(memory_format=torch.channels_last):
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], RATE, momentum=MOMENTUM)
    half = spec["precision"] == "bf16"

    def step(rows):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            loss = torch.nn.functional.cross_entropy(forward(x[rows]), y[rows])
        loss.backward()
        optimizer.step()

    forward = torch.compile(model) if spec["compiled"] else model

    def train(steps):
        done = pictures = 0
        while done < steps:
            for rows in torch.randperm(len(x), device="cuda").split(spec["batch_size"]):
                if len(rows) == spec["batch_size"]:  # a short batch would be compiled anew
                    step(rows)
                    done, pictures = done + 1, pictures + len(rows)
                if done == steps:
                    break
        torch.cuda.synchronize()
        return pictures

    train(20)
    begin = time.perf_counter()
    pictures = train(spec["steps"])
    seconds = time.perf_counter() - begin
    peak = torch.cuda.max_memory_allocated()
    data = x.numel() * 4 + y.numel() * 8
    return {"images_per_second": pictures / seconds, "peak_memory": peak, "peak_memory_less_data": peak - data}


def compare(spec):
    """One import, then a process for each layout, so that neither meets the other's memory."""
    import torch

    result = {"version": torch.__version__, "layouts": {}}
    layouts = ("contiguous",) if spec["data"] == "idx" else ("contiguous", "channels_last")
    for layout in pytorch_examples.forms_of(torch, spec["model"]) or layouts:
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reader)
            code = 1
            try:
                os.write(writer, json.dumps(train_pytorch(torch, spec, layout)).encode())
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            text = pipe.read()
        if os.waitpid(process, 0)[1] != 0:
            raise SystemExit(f"{spec['model']}: PyTorch's process failed ({layout})")
        result["layouts"][layout] = json.loads(text)
    print(json.dumps(result))


if __name__ == "__main__":
    compare(json.loads(sys.argv[1]))
