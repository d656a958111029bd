"""A program that hangs in a way that is asked for: `hung.py STATE fork|spawn`.

Each state is one of section 4.1 of the semantics, made as there: a process that kills itself at the
step, by what it was given in place of CPython's own. It prints one line of JSON when the survivors
are on their way to where they hang. Every process ends with its parent, or after a minute.
"""

import ctypes
import json
import multiprocessing
import os
import pickle
import signal
import sys
import time
from multiprocessing import connection

ITEM = b"i" * 20_000
LARGE = b"l" * 1_000_000
PR_SET_PDEATHSIG = 1


def bounded(parent=None):
    signal.alarm(60)
    if parent is not None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            die()


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


class Dying:
    """Whatever is done with it first is the end."""

    __enter__ = __exit__ = release = acquire = die


def put(parent, queue, item):
    bounded(parent)
    queue.put(item)


def get(parent, queue):
    bounded(parent)
    queue.get()


def get_and_die(parent, queue):
    bounded(parent)
    queue.get()
    die()


def get_and_finish(parent, queue):
    bounded(parent)
    queue.get()
    queue.task_done()


def join(parent, queue):
    bounded(parent)
    queue.join()


def wait_for(parent, event):
    bounded(parent)
    event.wait()


def put_and_die(parent, queue, whole):
    """Dies in the write: after the header and 1000 bytes, or before the first."""
    bounded(parent)
    send = connection.Connection._send

    def dying(self, buffer):
        if not whole:
            die()
        if len(buffer) <= 4:
            return send(self, buffer)
        os.write(self._handle, bytes(buffer)[:1000])
        die()

    connection.Connection._send = dying
    queue.put(ITEM)
    time.sleep(60)


def put_and_die_before(parent, queue, attribute):
    """Dies in `put` at the first use of an attribute of the queue."""
    bounded(parent)
    setattr(queue, attribute, Dying())
    queue.put(b"item")


class Program:
    def __init__(self, method):
        self.context = multiprocessing.get_context(method)
        bounded()

    def start(self, what, *arguments):
        process = self.context.Process(target=what, args=(os.getpid(), *arguments))
        process.start()
        return process

    def dead(self, what, *arguments):
        """Starts a process that dies by itself, and waits for that."""
        process = self.start(what, *arguments)
        process.join()
        assert process.exitcode == -signal.SIGKILL, process.exitcode

    def killed(self, what, *arguments):
        """Starts a process that blocks, and kills it there."""
        process = self.start(what, *arguments)
        while "read" not in wchan(process.pid) and "futex" not in wchan(process.pid):
            time.sleep(0.01)
        time.sleep(0.5)
        process.kill()
        process.join()


def wchan(pid):
    with open(f"/proc/{pid}/wchan") as file:
        return file.read()


def ready(**facts):
    print(json.dumps(facts), flush=True)


def producer_before_the_frame(program):
    """P3"""
    queue = program.context.Queue()
    program.dead(put_and_die, queue, False)
    survivor = program.start(put, queue, b"item")
    ready(survivor=survivor.pid)
    survivor.join()


def producer_inside_the_frame(program):
    """P6, and somebody reads what is there."""
    queue = program.context.Queue()
    program.dead(put_and_die, queue, True)
    survivor = program.start(get, queue)
    left = len(pickle.dumps(ITEM)) - 1000
    ready(survivor=survivor.pid, left=left)
    survivor.join()


def producer_inside_the_frame_unread(program):
    """P6, and nobody reads."""
    queue = program.context.Queue()
    program.dead(put_and_die, queue, True)
    survivor = program.start(put, queue, b"item")
    ready(survivor=survivor.pid)
    survivor.join()


def consumer_while_it_waits(program):
    """C1"""
    queue = program.context.Queue()
    program.killed(get, queue)
    survivors = [program.start(get, queue) for _ in range(2)]
    ready(survivors=[survivor.pid for survivor in survivors])
    survivors[0].join()


def simple_consumer_while_it_waits(program):
    """S2"""
    queue = program.context.SimpleQueue()
    program.killed(get, queue)
    survivor = program.start(get, queue)
    ready(survivor=survivor.pid)
    survivor.join()


def producer_with_the_slot(program):
    """P1"""
    queue = program.context.Queue(1)
    program.dead(put_and_die_before, queue, "_notempty")
    survivor = program.start(put, queue, b"item")
    ready(survivor=survivor.pid)
    survivor.join()


def producer_with_the_counter_locked(program):
    """J2"""
    queue = program.context.JoinableQueue(4)
    program.dead(put_and_die_before, queue, "_unfinished_tasks")
    survivor = program.start(put, queue, b"item")
    ready(survivor=survivor.pid)
    survivor.join()


def worker_with_a_task(program):
    """J1"""
    queue = program.context.JoinableQueue()
    queue.put(b"item")
    program.dead(get_and_die, queue)
    ready()
    queue.join()


def joiner(program):
    """J4, and then somebody does the last task."""
    queue = program.context.JoinableQueue()
    queue.put(b"item")
    program.killed(join, queue)
    survivor = program.start(get_and_finish, queue)
    ready(survivor=survivor.pid)
    survivor.join()


def join_with_unflushed_items(program):
    """LC9"""
    queue = program.context.Queue()
    child = program.start(put, queue, LARGE)
    ready(survivor=child.pid)
    child.join()


def healthy_and_idle(program):
    queue = program.context.Queue()
    event = program.context.Event()
    first = program.start(get, queue)
    program.start(get, queue)
    program.start(wait_for, event)
    ready()
    first.join()


def healthy_pool(program):
    with program.context.Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]
        ready()
        time.sleep(60)


def healthy_and_busy(program):
    queue = program.context.JoinableQueue(4)
    for _ in range(2):
        program.start(put_for_ever, queue)
    program.start(get_for_ever, queue)
    ready()
    time.sleep(60)


def put_for_ever(parent, queue):
    bounded(parent)
    while True:
        queue.put(ITEM)


def get_for_ever(parent, queue):
    bounded(parent)
    while True:
        queue.get()
        queue.task_done()


if __name__ == "__main__":
    globals()[sys.argv[1]](Program(sys.argv[2]))
