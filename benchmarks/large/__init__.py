"""How kcnn scales: `python -m benchmarks.large.program`.

`program` counts what each of several devices computes and exchanges in a training step. The figures
are in `docs/scaling.json`, from which `python docs/update_tables.py` writes the table of
`docs/scaling.md`.
"""
