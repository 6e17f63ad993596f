#!/usr/bin/env python3
"""A bad network on loopback: loss, delay, jitter (which reorders), duplicates.

Linux hands us the packets that a rule names (netfilter's NFQUEUE) and waits for our verdict on each; a late verdict is
a late packet. Runs in a network namespace without other interfaces, needs root and iptables, ends on SIGTERM and
prints one line of JSON. The same seed spoils the same packets.

  unshare --net sh -c 'ip link set lo up; python3 impair.py --loss 5 --jitter 40 --match "-p udp --dport 17020:17099"'
"""
import argparse
import heapq
import json
import os
import random
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time

NETLINK_NETFILTER, SUBSYSTEM = 12, 3
PACKET, VERDICT, CONFIG = 0, 1, 2
DROP, ACCEPT = 0, 1
OURS = 0x52  # the mark of packets we send again ourselves


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def attributes(data):
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            return
        yield kind & 0x7FFF, data[4:size]
        data = data[(size + 3) & ~3:]


class Held:
    """The kernel's queue of packets that wait for a verdict."""

    def __init__(self, number):
        self.number = number
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((0, 0))
        self.ask(CONFIG, attribute(1, struct.pack("!BBH", 1, 0, socket.AF_INET)))  # bind
        self.ask(CONFIG, attribute(2, struct.pack("!IB", 0xFFFF, 2)))  # hand over whole packets
        self.ask(CONFIG, attribute(3, struct.pack("!I", 16384)))  # as many may wait
        self.socket.setblocking(False)

    def tell(self, kind, body, flags=1):
        body = struct.pack("=BBH", 0, 0, socket.htons(self.number)) + body
        self.socket.send(struct.pack("=IHHII", 16 + len(body), SUBSYSTEM << 8 | kind, flags, 0, 0) + body)

    def ask(self, kind, body):
        self.tell(kind, body, flags=5)
        error = -struct.unpack_from("=i", self.socket.recv(4096), 16)[0]
        if error:
            raise OSError(error, os.strerror(error))

    def verdict(self, packet, what):
        self.tell(VERDICT, attribute(2, struct.pack("!II", what, packet)))

    def arrived(self):
        try:
            data = self.socket.recv(1 << 18)
        except OSError:  # nothing there, or the kernel had to drop some
            return
        while len(data) >= 20:
            size, kind = struct.unpack_from("=IH", data)
            if kind == SUBSYSTEM << 8 | PACKET:
                found = dict(attributes(data[20:size]))
                if 1 in found:
                    yield struct.unpack_from("!I", found[1])[0], found.get(10, b"")
            data = data[(size + 3) & ~3:]


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--match", default="-p udp", help="iptables words for the packets to spoil")
    words.add_argument("--loss", type=float, default=0, help="per cent")
    words.add_argument("--burst", type=float, default=1, help="mean packets lost in a row")
    words.add_argument("--delay", type=float, default=0, help="ms")
    words.add_argument("--jitter", type=float, default=0, help="up to so many ms more")
    words.add_argument("--duplicate", type=float, default=0, help="per cent")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--queue", type=int, default=52)
    asked = words.parse_args()

    others = {line.split(":")[0].strip() for line in open("/proc/self/net/dev") if ":" in line} - {"lo"}
    if others:
        sys.exit(f"refused: this namespace has {', '.join(sorted(others))} besides lo; run it in one of its own")

    chance = random.Random(asked.seed)
    enters = asked.loss / 100 / (asked.burst * max(1 - asked.loss / 100, 1e-9))
    queue = Held(asked.queue)
    again = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    again.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, OURS)
    rule = ["OUTPUT", "-o", "lo", "-m", "mark", "!", "--mark", str(OURS), *shlex.split(asked.match)]
    rule += ["-j", "NFQUEUE", "--queue-num", str(asked.queue)]
    subprocess.run(["iptables", "-w", "-t", "mangle", "-A", *rule], check=True)

    asked_to_end = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.append(True))
    counts = {"packets": 0, "lost": 0, "duplicated": 0, "overtaken": 0}
    waiting, losing, newest = [], False, 0
    print("ready", flush=True)
    while not asked_to_end:
        pause = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.1
        select.select([queue.socket], [], [], min(pause, 0.1))
        now = time.monotonic()
        for packet, content in queue.arrived():
            counts["packets"] += 1
            losing = chance.random() < (1 - 1 / asked.burst if losing else min(enters, 1))
            if losing:
                counts["lost"] += 1
                queue.verdict(packet, DROP)
                continue
            due = now + (asked.delay + chance.random() * asked.jitter) / 1000
            heapq.heappush(waiting, (due, counts["packets"], packet, b""))
            if chance.random() * 100 < asked.duplicate:
                counts["duplicated"] += 1
                heapq.heappush(waiting, (due + 0.002, counts["packets"], None, content))
        while waiting and waiting[0][0] <= time.monotonic():
            _, order, packet, content = heapq.heappop(waiting)
            if packet is None:
                again.sendto(content, (socket.inet_ntoa(content[16:20]), 0))
                continue
            counts["overtaken"] += order < newest
            newest = max(newest, order)
            queue.verdict(packet, ACCEPT)
    for _, _, packet, _ in waiting:
        if packet is not None:
            queue.verdict(packet, ACCEPT)
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
