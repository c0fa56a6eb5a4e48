#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Use a dma-buf as a file: read a header and a payload, send all to a socket."""

import fcntl
import os
import socket
import struct
import tempfile
import threading

SIZE = 1 << 20
DMA_HEAP_IOCTL_ALLOC = 0xC0184800       # struct dma_heap_allocation_data


def allocate(heap, size):
    """Return the descriptor of a new buffer."""
    node = os.open("/dev/dma_heap/" + heap, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # __u64 len; __u32 fd; __u32 fd_flags; __u64 heap_flags
        data = struct.pack("QIIQ", size, 0, os.O_RDWR | os.O_CLOEXEC, 0)
        return struct.unpack("QIIQ", fcntl.ioctl(node, DMA_HEAP_IOCTL_ALLOC, data))[1]
    finally:
        os.close(node)


def receive(sock, want, chunks):
    """Read so many bytes."""
    while want:
        chunks.append(sock.recv(65536))
        want -= len(chunks[-1])


buffer = allocate("system", SIZE)
content = os.urandom(SIZE)

# From a file into the buffer, without a copy in this program.
with tempfile.TemporaryFile() as file:
    file.write(content)
    file.flush()
    sent = 0
    while sent < SIZE:
        sent += os.sendfile(buffer, file.fileno(), sent, SIZE - sent)

header, payload = bytearray(16), bytearray(SIZE - 16)
assert os.preadv(buffer, [header, payload], 0) == SIZE
assert header + payload == content

# From the buffer to a socket.
here, there = socket.socketpair()
chunks = []
reader = threading.Thread(target=receive, args=(there, SIZE, chunks))
reader.start()
sent = 0
while sent < SIZE:
    sent += os.sendfile(here.fileno(), buffer, sent, SIZE - sent)
reader.join()
assert b"".join(chunks) == content
print(sent, "bytes")
