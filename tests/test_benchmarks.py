"""The benchmarks measure what they say, and a failing contestant spoils nothing for the others.

No test here looks at a time.
"""

import dataclasses
import doctest
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn.layers
from benchmarks import bars, cells, checkpoints, ladder, networks, parts, tables, trained
from benchmarks.contestants import (
    BORDER,
    FOREVER,
    KCNN,
    MAP_OF_EXAMPLES,
    keras3,
    pipelines,
)
from benchmarks.plan import BATCHES
from benchmarks.race import Rules, Spec, run
from benchmarks.results import (
    Entry,
    Machine,
    Part,
    Race,
    added,
    load,
    load_all,
    ratios,
    save,
)
from benchmarks.turns import Timing
from kcnn.compress import to_keras2
from kcnn.models import build
from kcnn.provenance import (
    hardware,
    processor_family,
    processor_flags,
    processor_name,
    with_family,
)
from kcnn.recipe import Data, Model, Recipe

ROOT = Path(__file__).parent.parent
QUICK = Rules(rounds=2, timing=Timing(warm_up=0, settle=0, turn=0, steps=1), patience=120)

LOOPS = """
import sys
import time

def steady(spec, turns):
    turns.facts["difference"] = 0.5
    while True:
        turns.step(1)

def counted(spec, turns):
    with open(spec.folder + "/order.txt", "ab", buffering=0) as order:
        while True:
            order.write(spec.contestant.encode())
            turns.step(1)

def broken(spec, turns):
    raise ValueError("no kernel for this\\nand a second line")

def tired(spec, turns):
    for _ in range(4):
        turns.step(1)
    sys.exit(3)

def silent(spec, turns):
    time.sleep(60)
"""


@pytest.fixture
def loops(tmp_path, monkeypatch):
    """Contestants without a framework, which a child finds as it finds the real ones."""
    (tmp_path / "loops.py").write_text(LOOPS)
    monkeypatch.syspath_prepend(tmp_path)

    def spec(name, loop, **options):
        return Spec(name, f"loops:{loop}", str(tmp_path), **options)

    return spec


def test_who_fails_is_reported_and_the_others_go_on(loops):
    race = run(
        [
            loops("steady", "steady"),
            loops("broken", "broken"),
            loops("tired", "tired"),
            loops("absent", "steady", needs="no_such_package"),
        ],
        QUICK,
        unit="steps/s",
        facts={"model": "none"},
    )
    steady, broken, tired = race.entries
    assert len(steady.values) == 2
    assert min(steady.values) > 0
    assert steady.error is None
    assert steady.facts["difference"] == 0.5
    assert steady.facts["peak_bytes"] > 1 << 20
    assert (broken.values, broken.error) == ((), "ValueError: no kernel for this")
    assert len(tired.values) < 2
    assert tired.error == "died with status 3"
    assert race.left_out == {"absent": "no_such_package is not installed"}


def test_who_gives_no_sign_is_given_up(loops):
    rules = dataclasses.replace(QUICK, patience=2)
    (entry,) = run([loops("silent", "silent")], rules, unit="steps/s").entries
    assert entry.error == "no answer within 2 s"


def test_contestants_take_turns(loops, tmp_path):
    rules = dataclasses.replace(QUICK, timing=dataclasses.replace(QUICK.timing, steps=2))
    run([loops("A", "counted"), loops("B", "counted")], rules, unit="steps/s")
    order = (tmp_path / "order.txt").read_text()
    # Three steps to warm up, all before the first turn; in each turn, one to settle and two that
    # count.
    assert sorted(order[:6]) == list("AAABBB")
    assert order[6:] == "AAABBBAAABBB"


def test_ratios_are_of_the_same_round():
    # The machine was half as fast in the second round: no round says anything but 2.
    assert ratios([400, 200, 404], [200, 100, 202]) == [2, 2, 2]
    assert cells.factor([400, 200, 404], [200, 100, 202]) == "2.00 (2.00–2.00)"
    assert cells.factor([300, 300, 300], [100, 150, 200]) == "2.00 (1.50–3.00)"
    assert cells.factor([300], []) == "–"


def _machine(family="family 25, model 1"):
    date = "2026-01-01T00:00"
    return Machine("A processor", 2, "Linux", ("avx2",), {"keras": "3"}, None, date, family)


def test_tables_of_invented_numbers():
    facts = {"model": "resnet8", "batch": 256, "threads": 2, "macs": 10**6, "moved": 10**6}
    race = Race(
        "images/s",
        (
            Entry("kcnn", (2000.0, 1000.0), "float32", {"peak_bytes": 1 << 30}),
            Entry("Keras 3", (1000.0, 400.0), "float32"),
            Entry("tf_keras", (), "float32", error="ValueError: no"),
        ),
        facts,
        {"PyTorch": "torch is not installed"},
    )
    limit = {"kind": "limit", "precision": "float32", "threads": 2}
    operations = (Entry("a product", (8e10,), "float32"), Entry("a faster one", (9e10,), "float32"))
    peak = Race("FLOP/s", operations, limit)
    memory = Race("bytes/s", (Entry("addition", (2e10,), "float32"),), {"kind": "memory"})
    results = {
        "fit": Part(_machine(), (peak, memory, race)),
        "pipeline": Part(_machine(), (Race("images/s", (Entry("kcnn.data", (30000.0,)),), facts),)),
    }
    speed, distance = tables.tables("fit", results)
    name = "resnet8, batch 256"
    assert speed.rows == (
        (name, "kcnn", "1,500 (1,000–2,000)", "", "2.25 (2.00–2.50)", "1,024 MiB"),
        (name, "Keras 3", "700 (400–1,000)", "2.25 (2.00–2.50)", "", "–"),
        (name, "tf_keras", "–", "–", "", "–"),
    )
    # 1,500 images/s of 10**6 MACs, forward and twice that backward, 2 FLOPs each; 4 bytes a value.
    assert distance.rows[0] == (name, "kcnn", "9", "90", "10.0%", "6.0", "30.0%")
    assert "(a product, a faster one)" in distance.title
    (fed,) = tables.tables("pipeline", results)
    assert fed.header[-1] == "of resnet8"
    assert fed.rows == (("kcnn.data", "30,000", "", "5.0%"),)
    text = tables.updated("Before\n<!-- part fit -->\nold\n<!-- end -->\nafter\n", [results])
    heading = "### A processor (family 25, model 1), 2 cores (avx2)"
    assert text.startswith(f"Before\n<!-- part fit -->\n{heading}\n\n**`fit`, images/s**")
    assert text.endswith("\n<!-- end -->\nafter\n")
    assert "old" not in text
    assert "Left out: PyTorch, because torch is not installed." in text
    assert "Failed: tf_keras (model resnet8, batch 256, threads 2): ValueError: no." in text
    assert "A processor (family 25, model 1), 2 cores (avx2)" in text
    assert tables.updated(text, [results]) == text


@pytest.mark.parametrize("name", ["cells", "results", "torch_network", "large.program"])
def test_the_examples_in_the_docstrings(name):
    if name == "torch_network":
        pytest.importorskip("torch")
    found = doctest.testmod(import_module(f"benchmarks.{name}"))
    assert found.attempted
    assert not found.failed


def test_results_are_read_as_they_were_written(tmp_path):
    race = Race("s", (Entry("kcnn", (1.5,), facts={"peak_bytes": 3}),), {"threads": 2})
    results = {"startup": Part(Machine.here(), (race,), {"seed": 0})}
    save(results, tmp_path / "results.json")
    assert load(tmp_path / "results.json") == results


def test_what_is_measured_apart_replaces_only_its_own_entries():
    facts = {"model": "a"}
    others = Entry("PyTorch", (3.0,)), Entry("kcnn", (5.0,), "float32")
    known = Part(
        _machine(),
        (Race("images/s", (Entry("kcnn", (2.0,), "bfloat16"), *others), facts),),
        {"seed": 0},
    )
    again = Entry("kcnn", (4.0,), "bfloat16"), Entry("JAX", (1.0,)), Entry("PyTorch", error="none")
    date = dataclasses.replace(_machine(), date="later")
    elsewhere = Race("images/s", (Entry("JAX", (7.0,)),), {"model": "b"})
    found = added(known, Part(date, (Race("images/s", again, facts), elsewhere)))
    assert (found.machine, found.settings) == (known.machine, {"seed": 0})
    assert [race.facts for race in found.races] == [facts, {"model": "b"}]
    values = [(each.contestant, each.precision, each.values) for each in found.races[0].entries]
    assert values == [
        ("kcnn", "bfloat16", (4.0,)),
        ("PyTorch", "", (3.0,)),
        ("kcnn", "float32", (5.0,)),
        ("JAX", "", (1.0,)),
    ]
    assert [each.facts for each in found.races[0].entries[:2]] == [{"measured": "later"}, {}]


def test_flags_of_the_processor(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor: 0\nflags\t\t: fpu avx2 amx_bf16 avx512fp16\n")
    assert processor_flags(cpuinfo) == {"fpu", "avx2", "amx_bf16", "avx512fp16"}
    assert processor_family(cpuinfo) == processor_family(tmp_path / "none") == ""
    cpuinfo.write_text("processor: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n")
    assert processor_family(cpuinfo) == "family 25, model 17"
    assert processor_name(cpuinfo) == "AMD EPYC" and processor_name(tmp_path / "none")
    assert hardware()["processor"] == Machine.here().name
    assert with_family("AMD EPYC", processor_family(cpuinfo)) == "AMD EPYC (family 25, model 17)"
    assert with_family("AMD EPYC", "") == "AMD EPYC"
    assert _machine("family 25, model 1").slug != _machine("family 25, model 17").slug
    assert processor_flags(tmp_path / "none") == set()


def test_the_document_is_the_results():
    text, files = (ROOT / "benchmarks/RESULTS.md").read_text(), ROOT / "benchmarks/results"
    machines = load_all(files)
    for results in machines:
        assert set(results) <= set(parts.PARTS)
        for part in results.values():
            assert (files / f"{part.machine.slug}.json").is_file()
    assert all(f"<!-- part {name} -->" in text for name in parts.PARTS)
    assert tables.updated(text, machines) == text


def test_time_to_an_accuracy_is_read_from_runs(tmp_path):
    report = json.loads((ROOT / "saved_models/lenet5/report.json").read_text())
    for name, recipe in {"a": "speedrun94", "b": "resnet20"}.items():
        (tmp_path / name).mkdir()
        report["recipe"], first = recipe, report["receipts"][0]
        report["receipts"] = [first, first | {"name": "float, TTA flip", "accuracy": 0.5}]
        (tmp_path / name / "report.json").write_text(json.dumps(report))
    (race,) = trained.races([tmp_path])
    (entry,) = race.entries
    assert race.facts["model"] == "speedrun94"
    assert entry.values == (report["training"]["seconds"],)
    assert entry.facts["float"] == first["accuracy"]
    (table,) = tables.tables("runs", {"runs": Part(_machine(), (race,))})
    assert table.rows[0][3] == "50.00%"
    other = dataclasses.replace(entry, facts=entry.facts | {"float, TTA flip": 0.52})
    table = trained.run_table(dataclasses.replace(race, entries=(entry, other)))
    assert table.rows[2][3] == "51.00% ± 1.41%"
    # Runs of another processor, or of other epochs, are another race.
    for name, changes in {
        "c": {"hardware": report["hardware"] | {"processor": "another"}},
        "d": {"training": report["training"] | {"epochs": 8}},
    }.items():
        (tmp_path / name).mkdir()
        changed = report | {"recipe": "speedrun94"} | changes
        (tmp_path / name / "report.json").write_text(json.dumps(changed))
    assert sorted(len(each.entries) for each in trained.races([tmp_path])) == [1, 1, 1]
    # Only the runs of this processor stand among its results.
    (tmp_path / "e").mkdir()
    here = report["hardware"] | {"processor": Machine.here().name}
    changed = report | {"recipe": "speedrun95", "hardware": here}
    (tmp_path / "e" / "report.json").write_text(json.dumps(changed))
    kept = list(parts.runs(SimpleNamespace(plan=SimpleNamespace(runs=[tmp_path]))))
    assert "speedrun95" in {race.facts["model"] for race in kept}
    assert {race.facts["processor"] for race in kept} == {Machine.here().name}


def test_tables_of_two_precisions_compare_within_each():
    def entries(**speeds):
        return tuple(
            Entry(name, (speed,), precision)
            for name, both in speeds.items()
            for precision, speed in zip(("float32", "bfloat16"), both, strict=True)
        )

    def part(*races):
        return Part(_machine(), races)

    facts = {"model": "a", "batch": 1, "threads": 2}
    both = entries(TensorFlow=(1e11, 2e11), exchange=(5e10, 1e11))
    convolutions = Race("FLOP/s", both, {"channels": 16, "size": 8, "batch": 2})
    (table,) = tables.tables("convolutions", {"convolutions": part(convolutions)})
    assert [(row[1], row[3]) for row in table.rows] == [
        ("TensorFlow, float32", ""),
        ("TensorFlow, bfloat16", ""),
        ("exchange, float32", "0.50"),
        ("exchange, bfloat16", "0.50"),
    ]
    scaling = Race("images/s", entries(kcnn=(10.0, 40.0), PyTorch=(5.0, 20.0)), facts)
    (table,) = tables.tables("scaling", {"scaling": part(scaling)})
    assert [row[4] for row in table.rows] == ["", "", "8.00", "2.00"]
    steps = entries(kcnn=(10.0, 40.0), stock=(5.0, 10.0))
    rungs = [
        Race(
            "images/s",
            tuple(each for each in steps if each.precision == precision),
            facts | {"precision": precision},
        )
        for precision in ("float32", "bfloat16")
    ]
    (table,) = tables.tables("ladder", {"ladder": part(*rungs)})
    assert [(row[0], row[1], row[4]) for row in table.rows] == [
        ("a, float32", "kcnn", ""),
        ("a, float32", "stock", "2.00"),
        ("a, bfloat16", "kcnn", ""),
        ("a, bfloat16", "stock", "4.00"),
    ]
    again = added(part(*rungs), part(rungs[1]))
    assert [len(race.entries) for race in again.races] == [2, 2]
    assert again.races[0] == rungs[0]


@pytest.mark.parametrize("name", BATCHES)
def test_pytorch_gets_the_same_network(name):
    torch = pytest.importorskip("torch")
    from benchmarks.torch_network import TorchNetwork

    narrow = {} if name == "simple_cnn" else {"width": 4}
    model = build(name, **narrow)
    for weight in model.weights:
        if weight.name in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
            weight.assign(np.random.default_rng(1).uniform(0.5, 1.5, weight.shape))
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    expected = np.asarray(model(images, training=False))
    rebuilt = TorchNetwork(to_keras2.describe_layers(model), to_keras2.named_weights(model)).eval()
    with torch.no_grad():
        answers = rebuilt(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    assert rebuilt.parameter_count() == model.count_params()
    np.testing.assert_allclose(answers, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_pytorch_learns_as_keras_does(request):
    """One gradient, with batch statistics, in-place activations and all.

    In float64: in float32 a ReLU whose input is nearly zero may open in one and not in the other.
    """
    torch = pytest.importorskip("torch")
    from benchmarks.torch_network import TorchNetwork

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float64")
    request.addfinalizer(lambda: keras.config.set_dtype_policy("float32"))
    model = keras3.stock(build("resnet8", width=4))
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (8, 32, 32, 3), np.uint8), np.arange(8)
    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(
            labels, model(images, training=True), from_logits=True
        )
        loss = tf.reduce_mean(loss)
    stem = model.get_layer("stem_conv").kernel
    expected = tape.gradient(loss, stem.value).numpy()
    rebuilt = TorchNetwork(to_keras2.describe_layers(model), to_keras2.named_weights(model)).train()
    logits = rebuilt.double()(torch.from_numpy(images.astype("float64")).permute(0, 3, 1, 2))
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
    found = next(rebuilt.parameters()).grad.permute(2, 3, 1, 0).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_what_pytorch_cannot_be_given_is_refused():
    pytest.importorskip("torch")
    from benchmarks.torch_network import TorchNetwork

    layers = [{"name": "up", "class_name": "UpSampling2D", "config": {}, "inputs": []}]
    with pytest.raises(ValueError, match="'up' is a UpSampling2D. Known: Activation, Add"):
        TorchNetwork(layers, {})


def _windows(image):
    """All that crop and mirror may make of an image."""
    padded = np.pad(image, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)))
    height, width, _ = image.shape
    places = [(i, j) for i in range(2 * BORDER + 1) for j in range(2 * BORDER + 1)]
    cut = [padded[i : i + height, j : j + width] for i, j in places]
    return {each.tobytes() for one in cut for each in (one, one[:, ::-1])}


@pytest.mark.parametrize("name", ["keras_map", "tf_image_map", "torch"])
def test_everyone_augments_alike(name):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (8, 8, 8, 3), np.uint8), np.arange(8, dtype=np.int32)
    if name == "torch":
        pytest.importorskip("torch")
        from benchmarks.contestants.pytorch import batches

        fed = batches(images, labels, 4, 0)
        found = [next(fed) for _ in range(12)]
        found = [(batch.permute(0, 2, 3, 1).numpy(), numbers.numpy()) for batch, numbers in found]
    else:
        fed = getattr(pipelines, name)(images, labels, 4).repeat()
        found = list(fed.take(12).as_numpy_iterator())
    allowed, seen = [_windows(image) for image in images], set()
    for batch, numbers in found:
        assert len(batch) == 4
        for image, label in zip(batch, numbers, strict=True):
            window = np.asarray(image).astype(np.uint8).tobytes()
            assert window in allowed[label]
            seen.add(window)
    assert len(seen) > 40


def test_stock_networks_are_stock():
    model = build("resnet8", width=4)
    assert any(type(each) is kcnn.layers.BatchNormalization for each in model.layers)
    copied = keras3.stock(model)
    assert {type(each).__module__.split(".")[0] for each in copied.layers} == {"keras"}
    for mine, theirs in zip(model.get_weights(), copied.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_was_asked_is_held_against_what_was_measured():
    def part(*races):
        return Part(_machine(), races)

    slower, ours = (
        Entry("kcnn", (speed, speed), precision)
        for speed, precision in ((2000.0, "float32"), (3000.0, "bfloat16"))
    )
    limit = Race("FLOP/s", (Entry("matrix product", (1e12,), "bfloat16"),), {"kind": "limit"})
    memory = Race("bytes/s", (Entry("addition", (1e10,), "float32"),), {"kind": "memory"})
    fits = [
        Race(
            "images/s",
            (
                slower,
                ours,
                Entry("Keras 3", (1000.0, 1000.0), "float32"),
                Entry("PyTorch", *theirs),
            ),
            {"model": model, "batch": 1, "threads": 2, "macs": macs, "moved": 10**6},
        )
        for model, macs, theirs in (
            ("resnet20", 10**7, ((2000.0, 3000.0), "bfloat16")),
            ("vgg16", 5 * 10**7, ((2900.0, 2900.0), "bfloat16")),
        )
    ]
    speeds = (Entry(KCNN, (66000.0,)), Entry(MAP_OF_EXAMPLES, (6670.0,)))
    seconds = (Entry("import kcnn", (0.2,)), Entry("kcnn --help", (0.3,)))
    runs = [
        Entry(
            "a run",
            (time,),
            facts={
                "seed": seed,
                "processor": f"{_machine().name}, 2 cores",
                "float, TTA flip_shift": score,
            },
        )
        for seed, (time, score) in enumerate(((500.0, 0.938), (700.0, 0.941), (600.0, 0.942)))
    ]
    other = f"{_machine('family 25, model 17').name}, 2 cores"  # of the same name
    elsewhere = [
        dataclasses.replace(run, values=(9.0,), facts=run.facts | {"processor": other})
        for run in runs
    ]
    rows = bars.table(
        {
            "fit": part(limit, memory, *fits),
            "pipeline": part(Race("images/s", speeds)),
            "startup": part(Race("s", seconds)),
            "runs": part(
                Race("s", tuple(runs), {"model": "speedrun94"}),
                Race("s", tuple(elsewhere), {"model": "speedrun94"}),
            ),
        }
    ).rows
    assert [row[2:] for row in rows] == [
        ("resnet20 1.25, vgg16 1.03", "1 of 2"),
        ("resnet20 1.25, vgg16 1.03", "0 of 2"),
        ("resnet20 3.00", "1 of 1"),
        ("60.0%", "yes"),  # of the bandwidth, which is the nearer limit
        ("90.0%", "yes"),  # of the arithmetic
        ("22.00", "yes"),
        ("9.90", "no"),
        ("94.03%", "yes"),
        ("700 s", "no"),
        ("0.20 s", "no"),
        ("0.30 s", "yes"),
    ]


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("images")
    plan_spec = Spec("kcnn", "", str(tmp_path), model="simple_cnn", batch=8)
    images = np.zeros((200, 32, 32, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", np.arange(200, dtype=np.int32) % 10)
    data = pipelines.endless(pipelines.load(plan_spec))
    return ladder.Training(build("simple_cnn"), data, plan_spec)


def test_rungs_change_what_they_say(training):
    for rung, kind in (
        (ladder.stock_batch_norm, keras.layers.BatchNormalization),
        (ladder.stock_convolution, keras.layers.Conv2D),
        (ladder.stock_normalization, keras.layers.Normalization),
        (ladder.stock_spatial_dropout, keras.layers.SpatialDropout2D),
    ):
        model = rung(training).model
        assert len(model.layers) == len(training.model.layers)
        with kcnn.layers.fast_training(model):
            plain = [each for each in model.layers if isinstance(each, kind)]
            assert plain and {type(each).__name__ for each in plain} == {f"Plain{kind.__name__}"}
            assert not any("convolution_op" in vars(each) for each in plain)
    with pytest.raises(RuntimeError, match="simple_cnn has no GELU"):
        ladder.stock_gelu(training)
    chain = ladder.stock_gelu(dataclasses.replace(training, model=build("speed_net", width=4)))
    with kcnn.layers.fast_training(chain.model):
        active = [each for each in chain.model.layers if isinstance(each, keras.layers.Activation)]
        assert active and {each.activation.__name__ for each in active} == {"chain"}
    assert training.data.steps_per_epoch == FOREVER
    mapped = ladder.map_of_batches(training).data.train
    assert mapped is not training.data.train
    assert next(iter(mapped))[0].shape == (8, 32, 32, 3)
    short = ladder.iterator_an_epoch(training).fitted
    assert short["x"].cardinality() == ladder.EPOCH
    assert short["steps_per_epoch"] is None
    assert {rung for _, names in ladder.RACES for rung in names} == set(ladder.RUNGS)


def test_a_rung_wins_over_what_train_says(training):
    seen = []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.last = batch

        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.model.steps_per_execution, self.last + 1))
            raise StopIteration

    rung = ladder.RUNGS["steps_per_execution=8"](ladder.one_iterator(training))
    with pytest.raises(StopIteration):
        ladder.fit(rung, [Stop()])
    assert seen == [(8, 16)]  # the short epoch of 10 steps, in whole executions


def test_the_rung_of_the_optimizer_trains_by_keras_own(training):
    kinds = []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kinds.append(type(self.model.optimizer))
            raise InterruptedError

    rung = ladder.stock_updates(dataclasses.replace(training, model=build("simple_cnn")))
    with pytest.raises(InterruptedError):
        ladder.fit(rung, [Stop()])
    assert kinds == [keras.optimizers.Adam]


def test_another_network_is_no_contestant():
    with pytest.raises(RuntimeError, match="another one: its answers differ by 0.5"):
        networks.difference(np.array([1.5]), np.array([1.0]))


def test_the_whole_of_it_in_seconds(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "benchmarks", "fit", "runs", "--quick", "--models"]
    large = ["matrix product", "3x3 convolution with its gradients"]
    only = [word for name in ("kcnn", "PyTorch", *large) for word in ("--only", name)]
    command += ["simple_cnn", *only, "--rounds", "2", "--out", out]
    # Below a file, so that no data set can be there.
    environment = {**os.environ, "TFDS_DATA_DIR": f"{sys.executable}/nowhere"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (results,) = load_all(out / "results")
    assert set(results) == {"fit", "runs"}
    part = results["fit"]
    assert part.settings["quick"] == 1
    assert part.machine.cores >= 1
    assert "keras" in part.machine.versions
    *limits, race = part.races
    assert {each.facts["kind"] for each in limits} == {"limit", "memory"}
    for entries in [each.entries for each in limits if each.facts["kind"] == "limit"]:
        assert [entry.contestant for entry in entries] == large
        assert all(len(entry.values) == 2 for entry in entries)
    assert race.facts["data"] == "synthetic"
    assert race.facts["parameters"] == 268_842
    kcnn_entry = race.entry("kcnn")
    assert kcnn_entry.error is None
    assert len(kcnn_entry.values) == 2
    assert kcnn_entry.facts["peak_bytes"] > 100 << 20
    if other := race.entry("PyTorch"):
        assert other.error is None
        assert other.facts["parameters"] == 268_842
        assert other.facts["difference"] < networks.TOLERANCE
    else:
        assert race.left_out == {"PyTorch": "torch is not installed"}
    text = (out / "RESULTS.md").read_text()
    assert text.startswith("# Benchmarks")
    assert "| simple_cnn, batch 16 | kcnn" in text
    assert "kcnn" in done.stdout
    assert tables.updated(text, [results]) == text


def test_a_mistake_is_one_line():
    command = [sys.executable, "-m", "benchmarks", "fitt"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "benchmarks: Unknown part 'fitt'. Did you mean 'fit'?" in done.stderr


def test_the_cost_of_states_is_measured_in_turns():
    recipe = Recipe(
        data=Data(name="digits", limit=100, batch_size=20, validation=0.2),
        model=Model(name="mlp", options={"units": 4, "depth": 1}),
    )
    measured = checkpoints.measure(recipe, rounds=2, every=2, data_dir=None)
    assert (measured.steps, measured.saves) == (4, 3)
    assert len(measured.without) == len(measured.kept) == 2
    assert measured.state_bytes > 4 * 3 * 1024
    known = dataclasses.replace(
        measured, steps=100, saves=10, without=(10.0, 12.0, 10.0), kept=(12.0, 14.0, 99.0)
    )
    known = dataclasses.replace(known, real_steps=250)
    assert known.save_seconds == pytest.approx(0.2)
    assert known.overhead() == pytest.approx(0.2 / 25)
    assert known.overhead(every=100) == pytest.approx(3 * 0.2 / 25)
