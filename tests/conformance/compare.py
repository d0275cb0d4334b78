#!/usr/bin/python3
"""Runs jobs on CPython's asyncio and in the simulator, and compares what they do.

	compare.py SIM_JOBS FIRST-LAST [commands|events]	the random jobs of these seeds
	compare.py SIM_JOBS -		the jobs on standard input, one a line; shows what each does

agree.py says what is compared. Jobs that differ are made smaller, as long as they do, and shown
with the command that repeats them.
"""
import concurrent.futures
import os
import shlex
import subprocess
import sys

from agree import same_story, side_by_side, story
from shrink import shrink

HERE = os.path.dirname(os.path.abspath(__file__))
CHUNK = 250  # jobs that one run of a program takes
SHOWN = 3  # of those that differ


class Side:
    """A program that reads jobs and prints their stories."""

    def __init__(self, *command):
        self.command = command

    def stories(self, lines):
        """One for each line. A job that stops the program, or keeps it for too long, is found by
        halving, and has a story that says so."""
        try:
            done = subprocess.run(self.command, input="".join(line + "\n" for line in lines),
                                  capture_output=True, text=True, timeout=10 + len(lines) / 10)
            parts = done.stdout.split("\n\n")[:-1]
            if done.returncode == 0 and len(parts) == len(lines):
                return [story(part) for part in parts]
            what = (0, "crashed", "%d: %s" % (done.returncode, done.stderr[-300:]))
        except subprocess.TimeoutExpired:
            what = (0, "hung", "")
        if len(lines) == 1:
            return [[what]]
        half = len(lines) // 2
        return self.stories(lines[:half]) + self.stories(lines[half:])


class Comparison:
    def __init__(self, sim_jobs, kind="make"):
        self.sim_jobs, self.kind = sim_jobs, kind
        # The ticks of asyncio are those of 3.11.
        python = sys.executable if sys.version_info[:2] == (3, 11) else "/usr/bin/python3"
        self.gatherd = Side(sim_jobs, "run")
        self.asyncio = Side(python, os.path.join(HERE, "asyncio_run.py"))

    def make(self, first, count):
        made = subprocess.run([self.sim_jobs, self.kind, str(first), str(count)], text=True,
                              stdout=subprocess.PIPE, check=True)
        return made.stdout.splitlines()

    def differing_seeds(self, first, count):
        """(seed, job) of each that differs."""
        lines = self.make(first, count)
        ours, theirs = self.gatherd.stories(lines), self.asyncio.stories(lines)
        return [(first + i, lines[i]) for i in range(count) if not same_story(ours[i], theirs[i])]

    def differing(self, lines):
        """The smaller jobs that are still of use: both sides take them, and differ."""
        ours = self.gatherd.stories(lines)
        taken = [i for i in range(len(lines)) if ours[i][:1] == [] or ours[i][0][1] != "refused"]
        theirs = self.asyncio.stories([lines[i] for i in taken])
        return [lines[i] for i, told in zip(taken, theirs)
                if not {"unsaid", "stuck"} & {line[1] for line in told}
                and not same_story(ours[i], told)]

    def show(self, line):
        cancels, spec = line.split("\t")
        print("%s\t%s" % (cancels, spec))
        print(side_by_side(self.gatherd.stories([line])[0], self.asyncio.stories([line])[0]))
        print("again with: printf '%s\\t%%s\\n' %s | %s %s -" % (
            cancels, shlex.quote(spec), shlex.quote(os.path.abspath(__file__)),
            shlex.quote(os.path.abspath(self.sim_jobs))))


def compare_seeds(comparison, first, last):
    chunks = [(at, min(CHUNK, last + 1 - at)) for at in range(first, last + 1, CHUNK)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda chunk: comparison.differing_seeds(*chunk), chunks))
    different = sorted((pair for part in found for pair in part), key=lambda pair: len(pair[1]))
    for seed, line in different[:SHOWN]:
        print("seed %d, made smaller:" % seed)
        comparison.show(shrink(line, comparison.differing))
        print()
    if different:
        print("seeds that differ:", *sorted(seed for seed, _ in different))
    print("%d jobs, %d different" % (last + 1 - first, len(different)))
    return not different


def compare_lines(comparison, lines):
    same = True
    for line in lines:
        same = same and same_story(*(side.stories([line])[0]
                                     for side in (comparison.gatherd, comparison.asyncio)))
        comparison.show(line)
    return same


def main():
    comparison = Comparison(sys.argv[1], *sys.argv[3:])
    if sys.argv[2] == "-":
        same = compare_lines(comparison, sys.stdin.read().splitlines())
    else:
        first, _, last = sys.argv[2].partition("-")
        same = compare_seeds(comparison, int(first), int(last or first))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
