# SPDX-License-Identifier: GPL-2.0-only
"""Where the instructions of one operation go, function by function.

The guest repeats the operation for ever. Once it does, QEMU is told to log every
single instruction for a moment, and the log is counted by function: no sampling,
no probe in the guest, so what is counted is what runs.
"""
import bisect
import collections
import os
import re
import socket
import subprocess
import sys
import time

# How much of the log is enough: a line is one instruction.
LOG_BYTES = 400 << 20
TRACE = re.compile(rb"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/", re.M)


class Monitor:
    """QEMU's monitor for people, at a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        self.answer()

    def answer(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            piece = self.socket.recv(4096)
            if not piece:
                break
            text += piece
        return text

    def tell(self, command):
        self.socket.sendall(command.encode() + b"\n")
        return self.answer()


class Symbols:
    """Addresses of functions, from System.map."""

    def __init__(self, path):
        with open(path, encoding="ascii") as stream:
            entries = sorted((int(fields[0], 16), fields[2])
                             for fields in map(str.split, stream) if fields[1] in "tTwW")
        self.addresses = [address for address, _ in entries]
        self.names = [name for _, name in entries]

    def find(self, address):
        if address < 1 << 63:
            return "(user)"
        index = bisect.bisect(self.addresses, address) - 1
        if index < 0 or address > self.addresses[-1] + (1 << 20):
            return "(module)"
        return self.names[index]

    def is_start(self, address):
        index = bisect.bisect_left(self.addresses, address)
        return index < len(self.addresses) and self.addresses[index] == address


def log_loop(boot, log):
    """Run the guest until its loop has been logged."""
    monitor_path = log + ".monitor"
    env = dict(os.environ, ACCEL="icount",
               QEMU_ARGS=f"-monitor unix:{monitor_path},server=on,wait=off -D {log}")
    with subprocess.Popen(boot, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as guest:
        for line in guest.stdout:
            if line.startswith("BENCH-LOOP"):
                break
        else:
            sys.exit("the guest did not come to its loop")
        monitor = Monitor(monitor_path)
        time.sleep(2)
        monitor.tell("singlestep on")
        monitor.tell("log exec,nochain")
        while os.path.getsize(log) < LOG_BYTES:
            time.sleep(0.05)
        monitor.tell("log none")
        monitor.socket.sendall(b"quit\n")
        guest.wait()


def count(log, symbols):
    """({function: instructions}, {function: calls})"""
    pcs = collections.Counter()
    with open(log, "rb") as stream:
        rest = b""
        while piece := stream.read(16 << 20):
            piece = rest + piece
            cut = piece.rfind(b"\n") + 1
            pcs.update(TRACE.findall(piece[:cut]))
            rest = piece[cut:]
    instructions, calls = collections.Counter(), collections.Counter()
    for pc, times in pcs.items():
        address = int(pc, 16)
        name = symbols.find(address)
        instructions[name] += times
        if symbols.is_start(address):
            calls[name] += times
    return instructions, calls


def profile(boot, out, kernel_dir, per):
    """Print the table; @per is the function that is called once a round."""
    log = os.path.join(out, "profile.log")
    if os.path.exists(log):
        os.unlink(log)
    log_loop(boot, log)
    instructions, calls = count(log, Symbols(os.path.join(kernel_dir, "System.map")))
    os.unlink(log)
    rounds = calls[per]
    if not rounds:
        sys.exit(f"{per} was not called once in what was logged")
    total = sum(instructions.values())
    print(f"{total / rounds:12,.1f} instructions a round, seen {rounds} rounds of {per}\n\n"
          f"{'a round':>12} {'share':>7} {'calls':>9}  function")
    for name, times in instructions.most_common():
        if times / rounds < 1:
            break
        print(f"{times / rounds:12,.1f} {100 * times / total:6.2f}% {calls[name] / rounds:9.2f}  {name}")
