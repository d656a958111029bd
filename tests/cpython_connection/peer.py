"""One end of a pipe, held by CPython: does what the lines on standard input say.

Each line is a list in JSON, and so is each line of the answer on standard output. The numbers of
the descriptors to receive from and to send to are the arguments.
"""

import datetime
import json
import os
import sys
from multiprocessing import BufferTooShort
from multiprocessing.connection import Connection


class Instance:
    pass


# What is sent and compared as a value of Python, by the name that both sides know it by.
VALUES = {
    "none": None,
    "true": True,
    "small": -7,
    "large": 2**62,
    "float": 0.5,
    "string": "sp\u00e4m \U0001f980",
    "bytes": bytes(range(256)),
    "bytearray": bytearray(b"ham"),
    "list": [1, "two", [3.0, None], b"4"],
    "tuple": (1, 2, 3, 4),
    "dict": {"spam": 1, "ham": [True, False], "eggs": {"x": None}},
    "shared": [["a", "b"]] * 3,
    "empty": [[], {}, "", b""],
    "many": [[number, str(number)] for number in range(3000)],
    "date": datetime.date(2020, 1, 2),
    "instance": Instance(),
    "system": os.system,
    "complex": 1j,
    "bignum": 2**70,
    "itself": [],
}
VALUES["itself"].append(VALUES["itself"])


def payload(length):
    return bytes(number % 251 for number in range(length))


def act(receiver, sender, command, *arguments):
    if command == "recv_bytes":
        return [receiver.recv_bytes() == payload(*arguments)]
    if command == "send_bytes":
        return [sender.send_bytes(payload(*arguments))]
    if command == "send":
        return [sender.send(VALUES[arguments[0]])]
    if command == "recv":
        received, expected = receiver.recv(), VALUES[arguments[0]]
        return [received == expected and type(received) is type(expected), repr(received)[:200]]
    if command == "send_pickle":
        # By an older protocol, as another library may write it.
        import pickle

        return [sender.send_bytes(pickle.dumps(VALUES[arguments[0]], arguments[1]))]
    if command == "write":
        return [os.write(sender.fileno(), bytes(arguments[0]))]
    if command == "poll":
        return [receiver.poll(*arguments)]
    if command == "recv_bytes_max":
        return [receiver.recv_bytes(*arguments) is not None, receiver.closed, receiver.readable]
    if command == "recv_bytes_into":
        buffer = bytearray(arguments[0])
        return [receiver.recv_bytes_into(buffer, arguments[1])]
    if command == "close":
        return [receiver.close(), sender.close()]
    if command == "version":
        return list(sys.version_info[:2])
    raise ValueError(command)


def main():
    reading, writing = (int(number) for number in sys.argv[1:3])
    # Opened for both where it is one descriptor; a one-way pipe has two.
    duplex = reading == writing
    receiver = Connection(reading, writable=duplex)
    sender = receiver if duplex else Connection(writing, readable=False)
    for line in sys.stdin:
        try:
            answer = act(receiver, sender, *json.loads(line))
        except BufferTooShort as error:
            answer = ["BufferTooShort", len(error.args[0])]
        except Exception as error:
            answer = [type(error).__name__, str(error)]
        print(json.dumps(answer), flush=True)


main()
