"""How kcnn scales: `python -m benchmarks.large.streams`, `.devices` and `.program`.

`streams` reads a set of pictures that stays on the disk and trains ResNet-50 on it; `devices` takes
the time of steps on one device, on two virtual ones and in two processes; `program` counts what
each of several devices computes and exchanges in a step. The figures are in `docs/scaling.json`,
from which `python docs/update_tables.py` writes the tables of `docs/scaling.md`.
"""
