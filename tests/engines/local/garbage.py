"""What a process may send and should not, and trials that send it; imported by workers and scripts, so kept light."""

from __future__ import annotations

import enum
import os
import pickle
import struct


class Malicious:
    """Its pickle makes a directory, wherever it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


PICKLE = pickle.dumps((1, 0, Malicious(), None, None))

GARBAGE = {
    "a malicious pickle": PICKLE,
    "a malicious pickle in a line": PICKLE + b"\n",
    "a malicious pickle after its length": struct.pack("<I", len(PICKLE)) + PICKLE,
    "a length of 4 GiB": b"\xff\xff\xff\xff" + b"x" * 100,
    "a line that never ends": b"x" * (5 << 20),
    "half a message, then silence": b'[1,0,0.5,"ha',
    "an empty line": b"\n",
    "NUL bytes": bytes(1000) + b"\n",
    "text beyond ASCII": '[0,0,"é","b",1.0,1]\n'.encode(),
    "words": b"epoch 1 of 10: loss 0.5\n",
    "null": b"null\n",
    "a number": b"17\n",
    "an object": b'{"kind":0}\n',
    "an empty list": b"[]\n",
    "lists in lists without end": b"[" * 100_000 + b"\n",
    "two messages in a line": b'[0,0,"a","b",1.0,1][0,0,"a","b",1.0,2]\n',
    "an unknown kind": b'[9,0,"a","b",1.0,1]\n',
    "a kind that is true": b"[true,0,1.0,1.0,null]\n",
    "too few entries": b'[0,0,"a","b",1.0]\n',
    "too many entries": b'[0,0,"a","b",1.0,1,1]\n',
    "a number of a trial that is text": b'[0,"0","a","b",1.0,1]\n',
    "a title that is a number": b'[0,0,1,"b",1.0,1]\n',
    "a title that is a list": b'[0,0,["a"],"b",1.0,1]\n',
    "a title without end": b'[0,0,"' + b"a" * 501 + b'","b",1.0,1]\n',
    "a value that is text": b'[0,0,"a","b","1.0",1]\n',
    "a value that is null": b'[0,0,"a","b",null,1]\n',
    "an iteration that is no integer": b'[0,0,"a","b",1.0,1.5]\n',
    "an iteration of 70 bits": b'[0,0,"a","b",1.0,1180591620717411303424]\n',
    "an integer of 10,000 digits": b'[0,0,"a","b",1.0,' + b"9" * 10_000 + b"]\n",
    "a result that is text": b'[1,0,0.5,"high",null]\n',
    "a result that is a list": b"[1,0,0.5,[1.0],null]\n",
    "a result in a result": b'[1,0,0.5,{"a/b":{"c":1.0}},null]\n',
    "a result that is true": b"[1,0,0.5,true,null]\n",
    "a result beyond any float": b"[1,0,0.5," + b"9" * 400 + b",null]\n",
    "a result with a key without end": b'[1,0,0.5,{"' + b"k" * 501 + b'":1.0},null]\n',
    "seconds below 0": b"[1,0,-1.0,1.0,null]\n",
    "seconds that are NaN": b"[1,0,NaN,1.0,null]\n",
    "seconds that are text": b'[1,0,"0.5",1.0,null]\n',
    "flags that are text": b'[1,0,0.5,1.0,["1",null,null]]\n',
    "flags that nobody knows": b"[1,0,0.5,1.0,[4096,null,null]]\n",
    "an error that is a number": b"[1,0,0.5,1.0,[1,2,null]]\n",
    "details of another length": b"[1,0,0.5,1.0,[1]]\n",
}


def send(garbage):
    """A trial that finds the worker's connection among its descriptors and writes into it."""
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:"):
            view = memoryview(garbage)
            while view:
                view = view[os.write(int(name), view) :]
            return 1.0
    raise LookupError("no connection")


def send_from_a_callable(kind):
    """A trial that sends one kind of garbage, or behaves."""
    return 1.0 if kind is None else send(GARBAGE[kind])


def misbehave(way, trial):
    """An objective with a bad habit for each way."""

    class Word(enum.StrEnum):
        LOSS = "objective/objective"

    class OldWord(str, enum.Enum):  # noqa: UP042 - it differs from a StrEnum in what `str` makes of it
        LOSS = "objective/objective"

    class Broken(dict):
        def items(self):
            raise RuntimeError("broken")

    ways = {
        0: lambda: {Word.LOSS: 1.0},
        1: lambda: {OldWord.LOSS: 1.0},
        2: lambda: Broken(a=1),
        3: lambda: 10**400,
        4: lambda: {"k" * 1000: 1.0},
        5: lambda: {f"{index}/" + "é" * 490: 1.0 for index in range(5000)},
        6: lambda: trial.report_scalar("\ud800", "half a character", 1.0, 0) or 1.0,
        7: lambda: print("\ud800" + "x" * 100_000_000) or 1.0,
        8: lambda: [trial.report_scalar("a", str(index), 1.0, index) for index in range(10_001)],
        9: lambda: trial.report_scalar("a", "b", 1.0, 2**63),
        10: lambda: trial.report_scalar("a" * 501, "b", 1.0, 0),
        11: lambda: trial.report_scalar("a", "b", 10**400, 0),
        12: lambda: exec("raise ValueError('\\ud800')"),
        13: lambda: {"\ud800/b": 1.0, "objective/objective": 1.0},
        14: lambda: os._exit(1),
        15: lambda: os.closerange(3, 256),
    }
    return ways[way]()
