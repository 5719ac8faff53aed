"""Checks proofs of events with pymerkle, from nothing but their files: what is in the leaf follows from docs/proof.md, and
whether the leaf is in the tree is pymerkle's word. Says the checkpoint's root and the leaf's place for each.

Given a file of leaves (the data of each in hexadecimal, line by line) after `--tree`, it also builds the whole tree, and says its root at each
size that a proof was checked against.
"""

import base64
import hashlib
import json
import sys

from pymerkle import InmemoryTree
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof, verify_inclusion


def entry(event):
    """The leaf's data: the canonical JSON of what the log says of an event (RFC 8785; docs/proof.md)."""
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
    facts = {
        "aggregate_id": event["aggregate_id"],
        "aggregate_type": event["aggregate_type"],
        "event_id": event["event_id"],
        "event_type": event["event_type"],
        "event_version": event["event_version"],
        "metadata_sha256": digest(event["metadata"]),
        "payload_sha256": digest(event["payload"]),
        "position": event["position"],
        "recorded_at": six_digits(event["recorded_at"]),
        "sequence": event["sequence"],
    }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def six_digits(moment):
    whole, _, part = moment.removesuffix("Z").partition(".")
    return f"{whole}.{part:0<6}Z"


def check(file):
    lines = open(file, encoding="utf-8").read().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1", lines[0]
    event = json.loads(base64.b64decode(lines[1].removeprefix("extra ")))
    index = int(lines[2].removeprefix("index "))
    blank = lines.index("")
    path = [base64.b64decode(line) for line in lines[3:blank]]
    _origin, size, root = lines[blank + 1 : blank + 4]
    leaf = hashlib.sha256(b"\0" + entry(event)).digest()
    rule, _ = _inclusion_path_layout(index + 1, int(size))
    proof = InclusionProof("sha256", True, int(size), index + 1, rule, [leaf] + path)
    verify_inclusion(leaf, base64.b64decode(root), proof, index=index + 1, size=int(size))
    print(json.dumps({"position": event["position"], "size": int(size), "root": base64.b64decode(root).hex()}))
    return int(size)


def main(arguments):
    leaves = []
    if arguments[0] == "--tree":
        leaves = [bytes.fromhex(line) for line in open(arguments[1], encoding="ascii").read().split()]
        arguments = arguments[2:]
    sizes = {check(file) for file in arguments}
    if leaves:
        tree = InmemoryTree(algorithm="sha256")
        for leaf in leaves:
            tree.append_entry(leaf)
        for size in sorted(sizes):
            print(json.dumps({"size": size, "root": tree.get_state(size).hex()}))


main(sys.argv[1:])
