#!/usr/bin/env python3
"""Writes pictures of Fashion-MNIST's test set as PNG files that carry their class in the name.

export_pictures.py --out DIR [--count N] [--data DIR]
"""
import argparse
import gzip
import pathlib
import struct
import zlib

CLASSES = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"]


def read_idx(path):
    """The extents and the bytes of an IDX file of unsigned bytes."""
    data = gzip.open(path).read()
    if data[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an IDX file of unsigned bytes")
    rank = data[3]
    extents = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return extents, data[4 + 4 * rank:]


def png(width, height, grey):
    """A greyscale picture as the bytes of a PNG file."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + grey[row * width:(row + 1) * width] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    (_, height, width), pictures = read_idx(arguments.data / "t10k-images-idx3-ubyte.gz")
    _, labels = read_idx(arguments.data / "t10k-labels-idx1-ubyte.gz")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for index in range(arguments.count):
        grey = pictures[index * width * height:(index + 1) * width * height]
        (arguments.out / f"{index}-{CLASSES[labels[index]]}.png").write_bytes(png(width, height, grey))
    print(f"{arguments.count} pictures in {arguments.out}")


if __name__ == "__main__":
    main()
