#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Turn a portable pixmap (P6) into a PNG, with nothing but zlib.

usage: ppm2png.py IN.ppm OUT.png
"""
import os
import re
import struct
import sys
import zlib

HEADER = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as stream:
        data = stream.read()
    header = HEADER.match(data)
    if not header:
        sys.exit(f"{sys.argv[1]}: no P6 pixmap of 8 bits")
    width, height = int(header[1]), int(header[2])
    pixels = data[header.end():]
    pitch = width * 3
    if len(pixels) != pitch * height:
        sys.exit(f"{sys.argv[1]}: {len(pixels)} bytes instead of {pitch * height}")

    # A zero before each row: it is not predicted from the one above.
    rows = b"".join(b"\0" + pixels[at:at + pitch] for at in range(0, len(pixels), pitch))
    png = (b"\x89PNG\r\n\x1a\n"
           + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
           + chunk(b"IDAT", zlib.compress(rows, 9))
           + chunk(b"IEND", b""))
    partial = sys.argv[2] + ".part"
    with open(partial, "wb") as stream:
        stream.write(png)
    os.replace(partial, sys.argv[2])


if __name__ == "__main__":
    main()
