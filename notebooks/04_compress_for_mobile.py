# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4. Onto a phone
#
# A trained network is a file of floating-point numbers. A phone wants it small, quick, and with the
# same answers. This notebook makes it so, and checks each claim on the file itself.
#
# **What you will see**
#
# * pruning: most weights can go, and what that saves (and what it does not);
# * quantisation: eight bits instead of thirty-two, first by hand, then by the exporter;
# * the file on LiteRT, the engine of the phone, and what an app must feed it;
# * distillation: a tiny network taught by a larger one;
# * the same numbers for a ResNet on CIFAR-10.

# %%
import gzip
import json
import logging
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import kcnn

logging.getLogger("kcnn").setLevel(logging.INFO)  # no progress bars
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## A network to start from
#
# The small CNN of the second notebook, trained on digits for eight epochs: `kcnn.train` is
# `compile` and `fit` in one call. It tells more than 95 % of the test digits right.

# %%
keras.utils.set_random_seed(0)
data = kcnn.data.load("digits", batch_size=64, augment="none")
model = kcnn.models.simple_cnn(spatial_dropout=0.1, dropout=0.3)
kcnn.train(model, data, epochs=8, learning_rate=2e-3, callbacks=[])


def accuracy(classifier):
    return kcnn.evaluate(classifier, data.test, expected_count=data.num_test).accuracy


whole = accuracy(model)
assert whole > 0.95
print(f"{whole:.1%} with {model.count_params():,} numbers")

# %% [markdown]
# Each number takes 4 bytes, so the 268,842 numbers make a little more than a million bytes. Where
# are they? Nearly all in one dense layer, and many of those are close to zero:

# %%
assert model.count_params() == 268_842
assert np.dtype("float32").itemsize == 4
assert model.get_layer("dense").count_params() / model.count_params() > 0.97

kernel = model.get_layer("dense").kernel.numpy()
figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
axes.hist(kernel.ravel(), bins=101, color="#0072B2")
axes.set_xlabel("weight of the dense layer")
axes.set_ylabel("how many")
plt.show()

# %% [markdown]
# ## Pruning
#
# If a weight is nearly zero, zero would do. `kcnn.prune` sets the smallest weights of each layer to
# zero, a few more at every step, while the network trains on and learns to do without them.

# %%
forms = {"whole": model}
for share in (0.5, 0.8):
    forms[f"{share:.0%} zeros"] = kcnn.prune(model, data, sparsity=share, epochs=3).model


def bytes_of(network):
    return b"".join(weight.tobytes() for weight in network.get_weights())


rows = {
    name: (accuracy(form), len(bytes_of(form)), len(gzip.compress(bytes_of(form))))
    for name, form in forms.items()
}
print(f"{'':10} accuracy      bytes       gzip")
for name, (right, size, zipped) in rows.items():
    print(f"{name:10} {right:8.1%} {size:>10,} {zipped:>10,}")

# %% [markdown]
# Three things to take from the table. The **accuracy** hardly notices that half of the weights are
# gone. The **file** is as large as before: a zero takes as many bytes as any number. What shrinks
# is the **compressed** file, that is the download: half zeros, and it is below 65 %.
#
# And the speed? Nothing changes. The processor multiplies by zero as slowly as by any number, and
# engines on phones skip zeros only in specially encoded 1x1 convolutions of floats.

# %%
sizes = {name: size for name, (_, size, _) in rows.items()}
assert len(set(sizes.values())) == 1
assert rows["50% zeros"][0] > whole - 0.02
assert rows["50% zeros"][2] / rows["whole"][2] < 0.65
assert rows["80% zeros"][2] < rows["50% zeros"][2]

# %% [markdown]
# ## Eight bits, by hand
#
# A signed byte holds the whole numbers from −128 to 127. Choose a *scale* so that the largest
# weight becomes 127, divide by it and round: what is stored is a byte for each weight and one
# scale.

# %%
scale = np.abs(kernel).max() / 127
stored = np.round(kernel / scale).astype(np.int8)
restored = stored * scale

assert np.iinfo(np.int8).min == -128 and np.iinfo(np.int8).max == 127
assert np.abs(stored).max() == 127
assert np.abs(restored - kernel).max() <= scale / 2 * (1 + 1e-3)  # rounding's own bound
assert kernel.nbytes == 4 * stored.nbytes

few = np.sort(kernel.ravel()[:40])
figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.8), layout="constrained", sharey=True)
for cell, bits in zip(axes, (8, 4), strict=True):
    step = np.abs(kernel).max() / (2 ** (bits - 1) - 1)
    cell.plot(few, "o", mfc="none", color="#0072B2", label="weight")
    cell.plot(np.round(few / step) * step, "x", color="#D55E00", label=f"restored from {bits} bits")
    cell.set_xticks([])
    cell.legend(frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# With eight bits the eye sees no difference; with four you see the levels. The error is half a
# scale at most, and the file a quarter. Better still, the sums of a layer can
# now be made of whole numbers only: multiply bytes, add up in 32 bits, and put the two scales in
# once at the end. Small processors are several times faster at that.

# %%
signal = np.random.default_rng(0).uniform(0, 1, size=len(kernel)).astype("float32")
signal_scale = signal.max() / 127
signal_bytes = np.round(signal / signal_scale).astype(np.int8)

integers = signal_bytes.astype(np.int32) @ stored.astype(np.int32)
assert 8 * integers.itemsize == 32  # bits
by_integers, by_floats = integers * (scale * signal_scale), signal @ kernel
error = np.abs(by_integers - by_floats).max() / np.abs(by_floats).max()
print(f"largest error {error:.1%} of the largest sum")
assert error < 0.03

# %% [markdown]
# ## Export
#
# Weights are known, but how large do the *signals* between the layers become? That must be measured
# on images: **calibration**. It takes a few hundred training images, never test images, for those
# would be seen before they are scored. `export_tflite` does it, and folds the scaling of the pixels
# and the batch norms into the convolutions on the way.

# %%
exported = {
    form: kcnn.export_tflite(
        model,
        folder / f"{form}.tflite",
        quantization=form,
        calibration=data.calibration if form == "int8" else None,
        labels=data.class_names,
    )
    for form in ("none", "int8")
}
for form, result in exported.items():
    print(f"{form:5} {result.bytes:>9,} bytes, operators: {dict(result.operators)}")

# %% [markdown]
# The int8 file is about a quarter of the float file. Its input is a byte too, with scale 1 and zero
# point −128: what an app has to feed is the pixel minus 128, nothing else. The class names travel
# inside the file.

# %%
small = exported["int8"]
assert np.isclose(small.bytes / exported["none"].bytes, 1 / 4, atol=0.02)
assert small.input.dtype == small.output.dtype == "int8"
assert small.input.scale == 1 and small.input.zero_point == -128

# %% [markdown]
# ## Verify
#
# Do not trust the conversion: measure the file. Here is what an app does, line by line. It takes
# the *bytes* of the file, for an engine that is handed a path may not check what it reads.

# %%
images, labels = next(data.test.as_numpy_iterator())
engine = Interpreter(model_content=small.path.read_bytes())
engine.allocate_tensors()
(source,), (target,) = engine.get_input_details(), engine.get_output_details()

pixels = images[:1].astype(np.int16) - 128
engine.set_tensor(source["index"], pixels.astype(np.int8))
engine.invoke()
answer = engine.get_tensor(target["index"])

output_scale, zero_point = target["quantization"]
logits = output_scale * (answer.astype("float32") - zero_point)
print("told:", data.class_names[logits.argmax()], " true:", data.class_names[labels[0]])

# %% [markdown]
# `kcnn.TFLiteClassifier` is these lines in one object, and `kcnn.evaluate` takes the file's path.
# On all test images the file is within 2 points of the network it came from, and both tell the same
# class for more than 98 % of them.

# %%
assert pixels.min() >= -128 and pixels.max() <= 127  # a pixel minus 128 is a signed byte
classifier = kcnn.TFLiteClassifier(small.path)
assert np.allclose(classifier(images[:1]), logits, atol=1e-5)
assert classifier.labels == data.class_names

said = {
    name: kcnn.evaluate(form, data.test, expected_count=data.num_test)
    for name, form in {"float": model, "int8": small.path}.items()
}
difference = said["int8"].accuracy - said["float"].accuracy
same = np.mean(said["int8"].logits.argmax(1) == said["float"].logits.argmax(1))
print(f"float {said['float'].accuracy:.1%}, int8 {said['int8'].accuracy:.1%}, same {same:.1%}")
assert 100 * abs(difference) < 2
assert 100 * same > 98

figure, axes = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
axes.plot(said["float"].logits.ravel(), said["int8"].logits.ravel(), ".", ms=2, color="#0072B2")
axes.axline((0, 0), slope=1, color="0.5", linewidth=0.8)
axes.set_xlabel("logit, float")
axes.set_ylabel("logit, int8")
plt.show()

# %% [markdown]
# ## Distillation
#
# Pruning and quantisation keep the network. One can also train a smaller one from the start, with
# the large one as **teacher**. The label says "a four"; the teacher says "a four, but not unlike a
# nine", and that is more to learn from. The answers of both are softened by a *temperature*, so
# that the small probabilities count.
#
# The student is plain Keras, two small convolutions and a dense layer: 9,242 parameters. To know
# what the teacher is worth, a second student learns the same way without one, the **control**.


# %%
def student():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )


taught, control = student(), student()
kcnn.distill(taught, model, data, epochs=8, learning_rate=3e-3, temperature=4.0, callbacks=[])
kcnn.train(control, data, epochs=8, learning_rate=3e-3, callbacks=[])
with_teacher, without = accuracy(taught), accuracy(control)
print(f"{taught.count_params():,} parameters instead of {model.count_params():,}")
print(f"teacher {whole:.1%}, student {with_teacher:.1%}, control {without:.1%}")
assert taught.count_params() == 9_242
assert min(with_teacher, without) > whole - 0.04

# %% [markdown]
# Without the control one would praise the teacher. With it one sees that the digits are too easy to
# need one: the tiny network is as good as the large one, within the error of so few test images,
# and learns it from the labels alone. That is worth knowing, too: before you compress a large
# network, try a small one. On CIFAR-10 ask again (`kcnn run --control` trains the control of any
# recipe that distils).
#
# ## For real: ResNet-20 on CIFAR-10
#
# `kcnn run resnet20` does all of this and writes a receipt for every stage, each measured on all
# 10,000 test images:

# %%
report = json.loads(Path("../saved_models/resnet20/report.json").read_text())
stages = {stage["name"]: stage for stage in report["stages"]}
for name, stage in stages.items():
    print(
        f"{name:17} {stage['accuracy']:.2%} {stage['bytes']:>10,} bytes "
        f"{stage['gzip_bytes']:>10,} zipped {stage['ms_per_image']:.2f} ms"
    )

# %% [markdown]
# From 1,342,896 bytes to 306,881; with half of the weights zero the download is 191,513 bytes, less
# than a fifth of the float one. The time for an image falls from 1.42 to 0.49 milliseconds on one
# thread. And the accuracy goes from 89.95 % to 89.44 %, half a point: the standard error of such a
# number is 0.3 points, so most of that may be chance. Pruning to 80 % costs more than two.

# %%
first, last = stages["float"], stages["pruned 50%, int8"]
assert first["count"] == 10_000
assert (first["bytes"], last["bytes"], last["gzip_bytes"]) == (1_342_896, 306_881, 191_513)
assert last["gzip_bytes"] / first["gzip_bytes"] < 1 / 5
assert round(first["ms_per_image"], 2) == 1.42 and round(stages["int8"]["ms_per_image"], 2) == 0.49
assert (first["accuracy"], last["accuracy"]) == (0.8995, 0.8944)
assert round(100 * np.sqrt(0.8995 * (1 - 0.8995) / 10_000), 1) == 0.3
thin = stages["pruned 80%"]
assert round(100 * thin["sparsity"]) == 80
assert 100 * (first["accuracy"] - thin["accuracy"]) > 2

# %% [markdown]
# ## Exercises
#
# 1. Prune to 95 % zeros. What does it cost, and how many epochs of pruning win it back? Export the
#    result as int8: how large is the file, and how large zipped?
# 2. Quantise `kernel` by hand to four bits, −8 to 7. How large does the error of the sum become?
#    Then give every column of the kernel a scale of its own, and compare.
# 3. Train five students with the teacher and five without, with seeds 0 to 4. Is the difference of
#    the means larger than its standard error?
# 4. Calibrate with `np.zeros((100, 32, 32, 3), np.uint8)`, black images. What does the accuracy
#    say, and why?
