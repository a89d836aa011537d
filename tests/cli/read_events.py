#!/usr/bin/env python3
"""read_events.py DIR: what TensorBoard itself reads from the event files in DIR, as one JSON object.

{"TAG": {"plugin": "scalars", "steps": [...], "values": [...]}}; a scalar's value is a number, a histogram's a list of
[left, right, count], a picture's [width, height]. Needs the package tensorboard (scripts/install_deps.sh --tensorboard).
"""
import json
import sys

from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.util import tensor_util


def value(plugin, tensor):
    array = tensor_util.make_ndarray(tensor)
    if plugin == "scalars":
        return float(array)
    if plugin == "histograms":
        return array.tolist()
    if plugin == "images":  # width and height as text, then the encoded pictures
        if not bytes(array[2]).startswith(b"\x89PNG"):
            raise ValueError("a picture is no PNG")
        return [int(array[0]), int(array[1])]
    raise ValueError(f"unexpected plugin {plugin}")


def main():
    events = plugin_event_accumulator.EventAccumulator(sys.argv[1], size_guidance={"tensors": 0},
                                                       tensor_size_guidance={})
    events.Reload()
    result = {}
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        entries = events.Tensors(tag)
        result[tag] = {"plugin": plugin, "steps": [entry.step for entry in entries],
                       "values": [value(plugin, entry.tensor_proto) for entry in entries]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
