#!/usr/bin/env python3
"""UNSW-NB15 as bytes: prepare.py UNSW_NB15_training-set.csv data/nids.npz

Counts, flags and times to live stay as they are (up to 255). What ranges over many powers of two (durations, bytes, rates)
becomes its logarithm, 4 steps an octave of millionths. Categories become a column of 0 and 1 for each common one. The row's
number and the kind of attack go: they say the answer. Nothing is fitted, so that nothing of the test samples can leak.
"""
import csv
import math
import sys
import zipfile

CATEGORIES = {
    "proto": ["tcp", "udp", "arp", "ospf", "unas"],
    "service": ["-", "dns", "ftp", "ftp-data", "http", "pop3", "smtp", "snmp", "ssh", "ssl"],
    "state": ["ACC", "CLO", "CON", "FIN", "INT", "REQ", "RST"],
}
WIDE = set(
    "dur spkts dpkts sbytes dbytes rate sload dload sloss dloss sinpkt dinpkt sjit djit stcpb dtcpb tcprtt synack ackdat "
    "smean dmean response_body_len".split()
)
DROPPED = {"id", "attack_cat", "label"}


def features(name, text):
    if name in CATEGORIES:
        return [int(text == one) for one in CATEGORIES[name]]
    return [round(4 * math.log2(1 + 1e6 * float(text))) if name in WIDE else min(255, int(text))]


def npy(shape, data):
    """An array of bytes in NumPy's format, version 1.0."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header = header.ljust((len(header) + 11) // 64 * 64 + 53) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


x, y = bytearray(), bytearray()
with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:
    rows = csv.DictReader(file)
    columns = [name for name in rows.fieldnames if name not in DROPPED]
    for row in rows:
        for name in columns:
            x += bytes(features(name, row[name]))
        y.append(int(row["label"]))
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as out:
    out.writestr("x.npy", npy((len(y), len(x) // len(y)), bytes(x)))
    out.writestr("y.npy", npy((len(y),), bytes(y)))
