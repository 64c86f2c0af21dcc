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
# A trained network is a file of floating-point numbers. For a phone it should be small and fast and
# give the same predictions. This notebook compresses one, and checks each claim on the file itself.
#
# **What you will see**
#
# * pruning: most weights can be removed, what that saves and what it does not;
# * quantization: eight bits instead of thirty-two, first by hand, then by the exporter;
# * the file on LiteRT, the runtime on the phone, and the input that an app must give it;
# * distillation: a tiny network that learns from a larger one;
# * the same numbers for a ResNet on CIFAR-10.

# %%
import gzip
import logging
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import kcnn
from kcnn.report import receipts

logging.getLogger("kcnn").setLevel(logging.INFO)  # no progress bars
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## A network to start from
#
# We train the small CNN of the second notebook on digits for eight epochs: `kcnn.train` is
# `compile` and `fit` in one call. It predicts more than 95 % of the test digits correctly.

# %%
keras.utils.set_random_seed(0)
data = kcnn.data.load("digits", batch_size=64, augment="none")
model = kcnn.models.simple_cnn(spatial_dropout=0.1, dropout=0.3)
kcnn.train(model, data, epochs=8, learning_rate=2e-3, callbacks=[])


def accuracy(classifier):
    return kcnn.evaluate(classifier, data.test, expected_count=data.num_test).accuracy


unpruned = accuracy(model)
assert unpruned > 0.95
print(f"{unpruned:.1%} with {model.count_params():,} numbers")

# %% [markdown]
# Each number takes 4 bytes, so the 268,842 numbers take a little more than a million bytes. Nearly
# all of them are the weights of one dense layer, and many of these are close to zero:

# %%
assert model.count_params() == 268_842
assert np.dtype("float32").itemsize == 4
assert model.get_layer("dense").count_params() / model.count_params() > 0.97

kernel = model.get_layer("dense").kernel.numpy()
figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
axes.hist(kernel.ravel(), bins=101, color="#0072B2")
axes.set_xlabel("weight of the dense layer")
axes.set_ylabel("count")
plt.show()

# %% [markdown]
# ## Pruning
#
# A weight that is nearly zero can be replaced by zero. `kcnn.prune` sets the smallest weights of
# each layer to zero, step by step, while the training continues and the network adapts to their
# loss.

# %%
variants = {"float": model}
for share in (0.5, 0.8):
    variants[f"{share:.0%} zeros"] = kcnn.prune(model, data, sparsity=share, epochs=3).model


def bytes_of(network):
    return b"".join(weight.tobytes() for weight in network.get_weights())


rows = {
    name: (accuracy(variant), len(bytes_of(variant)), len(gzip.compress(bytes_of(variant))))
    for name, variant in variants.items()
}
print(f"{'':10} accuracy      bytes       gzip")
for name, (right, size, zipped) in rows.items():
    print(f"{name:10} {right:8.1%} {size:>10,} {zipped:>10,}")

# %% [markdown]
# The table shows three things. The **accuracy** hardly changes when half of the weights are zero.
# The **file** is as large as before, because a zero takes as many bytes as any other number. The
# **compressed** file, which is what users download, is smaller: with half zeros it has less than 65
# % of its size.
#
# The speed does not change. Multiplying by zero takes as long as by any number, and runtimes on
# phones skip zeros only in specially encoded 1x1 convolutions of floats.

# %%
sizes = {name: size for name, (_, size, _) in rows.items()}
assert len(set(sizes.values())) == 1
assert rows["50% zeros"][0] > unpruned - 0.02
assert rows["50% zeros"][2] / rows["float"][2] < 0.65
assert rows["80% zeros"][2] < rows["50% zeros"][2]

# %% [markdown]
# ## Eight bits, by hand
#
# A signed byte holds the integers from −128 to 127. Choose a *scale* with which the largest weight
# becomes 127, divide all weights by it and round. The file then stores one byte for each weight,
# and one scale.

# %%
scale = np.abs(kernel).max() / 127
stored = np.round(kernel / scale).astype(np.int8)
restored = stored * scale

assert np.iinfo(np.int8).min == -128 and np.iinfo(np.int8).max == 127
assert np.abs(stored).max() == 127
assert np.abs(restored - kernel).max() <= scale / 2 * (1 + 1e-3)  # half a step
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
# With eight bits no difference is visible; with four bits the steps are. The error is at most half
# a scale, and the file a quarter of the size. A layer can now also compute with integers only: it
# multiplies bytes, adds the products in 32 bits, and applies the two scales once at the end. Small
# processors are several times faster with integers.

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
# The weights are known, but the range of the *activations* between the layers must be measured on
# images: this is **calibration**. It uses a few hundred training images, and never test images,
# because the test set must stay unseen until it is scored. `export_tflite` calibrates, and also
# folds the scaling of the pixels and the batch norms into the convolutions.

# %%
whole = kcnn.export_tflite(
    model, folder / "float.tflite", quantization="none", labels=data.class_names
)
small = kcnn.export_tflite(
    model, folder / "int8.tflite", calibration=data.calibration, labels=data.class_names
)
for name, result in {"float": whole, "int8": small}.items():
    print(f"{name:5} {result.bytes:>9,} bytes, operators: {dict(result.operators)}")

# %% [markdown]
# The int8 file has about a quarter of the size of the float file. Its input is int8 too, with scale
# 1 and zero point −128: an app passes each pixel minus 128, and nothing else. The class names are
# stored in the file.

# %%
assert np.isclose(small.bytes / whole.bytes, 1 / 4, atol=0.02)
assert small.input.dtype == small.output.dtype == "int8"
assert small.input.scale == 1 and small.input.zero_point == -128

# %% [markdown]
# ## Verify
#
# Do not trust the conversion: measure the file. Here is what an app does, line by line. It passes
# the *bytes* of the file to the interpreter, because with a path LiteRT may not check what it
# reads.

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
print("predicted:", data.class_names[logits.argmax()], " true:", data.class_names[labels[0]])

# %% [markdown]
# `kcnn.TFLiteClassifier` does the same in one object, and `kcnn.evaluate` takes the path of a file.
# On all test images the accuracy of the file is within 2 points of that of the network it was made
# from, and both predict the same class for more than 98 % of them.

# %%
assert pixels.min() >= -128 and pixels.max() <= 127  # a pixel minus 128 is a signed byte
classifier = kcnn.TFLiteClassifier(small.path)
assert np.allclose(classifier(images[:1]), logits, atol=1e-5)
assert classifier.labels == data.class_names

by_float = kcnn.evaluate(model, data.test, expected_count=data.num_test)
by_int8 = kcnn.evaluate(small.path, data.test, expected_count=data.num_test)
difference = by_int8.accuracy - by_float.accuracy
same = np.mean(by_int8.logits.argmax(1) == by_float.logits.argmax(1))
print(f"float {by_float.accuracy:.1%}, int8 {by_int8.accuracy:.1%}, same {same:.1%}")
assert 100 * abs(difference) < 2
assert 100 * same > 98

figure, axes = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
axes.plot(by_float.logits.ravel(), by_int8.logits.ravel(), ".", ms=2, color="#0072B2")
axes.axline((0, 0), slope=1, color="0.5", linewidth=0.8)
axes.set_xlabel("logit, float")
axes.set_ylabel("logit, int8")
plt.show()

# %% [markdown]
# ## Distillation
#
# Pruning and quantization keep the architecture of the network. Alternatively, train a smaller
# network, the **student**, with the large one as **teacher**. The label says "a four"; the teacher
# says "a four, but similar to a nine", which contains more information. A *temperature* softens the
# outputs of both, so that the small probabilities count.
#
# The student is plain Keras: two small convolutions and a dense layer, 9,242 parameters. To measure
# what the teacher contributes, we train a second student in the same way without a teacher: the
# **control**.


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


distilled, control = student(), student()
kcnn.distill(distilled, model, data, epochs=8, learning_rate=3e-3, temperature=4.0, callbacks=[])
kcnn.train(control, data, epochs=8, learning_rate=3e-3, callbacks=[])
with_teacher, without = accuracy(distilled), accuracy(control)
print(f"{distilled.count_params():,} parameters instead of {model.count_params():,}")
print(f"teacher {unpruned:.1%}, student {with_teacher:.1%}, control {without:.1%}")
assert distilled.count_params() == 9_242
assert min(with_teacher, without) > unpruned - 0.04

# %% [markdown]
# Without the control, the teacher would seem to deserve the credit. The control shows that the
# digits are too easy to need a teacher: the tiny network is as good as the large one, within the
# error of so few test images, and learns that from the labels alone. So before you compress a large
# network, try a small one. CIFAR-10 is harder, and the result may differ there (`kcnn run
# --control` trains the control of any recipe with a teacher).
#
# ## ResNet-20 on CIFAR-10
#
# `kcnn run resnet20` does all of this and writes a receipt for every variant of the model, each
# measured on all 10,000 test images:

# %%
report = receipts.load("../saved_models/resnet20/report.json")
measured = {receipt.name: receipt for receipt in report.receipts}
for name, receipt in measured.items():
    print(
        f"{name:17} {receipt.accuracy:.2%} {receipt.bytes:>10,} bytes "
        f"{receipt.gzip_bytes:>10,} zipped {receipt.ms_per_image:.2f} ms"
    )

# %% [markdown]
# The file shrinks from 1,342,896 bytes to 306,881. With half of the weights zero, the download is
# 191,513 bytes, less than a fifth of the float file. The time for one image falls from 1.42 to 0.49
# milliseconds on one thread. The accuracy falls from 89.95 % to 89.44 %, half a point; its standard
# error is 0.3 points, so most of the difference may be chance. Pruning to 80 % costs more than two
# points.

# %%
first, last = measured["float"], measured["pruned 50%, int8"]
assert first.count == 10_000
assert (first.bytes, last.bytes, last.gzip_bytes) == (1_342_896, 306_881, 191_513)
assert last.gzip_bytes / first.gzip_bytes < 1 / 5
float_ms, int8_ms = first.ms_per_image, measured["int8"].ms_per_image
assert float_ms is not None and round(float_ms, 2) == 1.42
assert int8_ms is not None and round(int8_ms, 2) == 0.49
assert (first.accuracy, last.accuracy) == (0.8995, 0.8944)
assert round(100 * np.sqrt(0.8995 * (1 - 0.8995) / 10_000), 1) == 0.3
pruned = measured["pruned 80%"]
assert round(100 * pruned.sparsity) == 80
assert 100 * (first.accuracy - pruned.accuracy) > 2

# %% [markdown]
# ## Exercises
#
# 1. Prune to 95 % zeros. How much accuracy does it cost, and how many epochs of pruning restore it?
#    Export the result as int8: how large is the file, and how large is it zipped?
# 2. Quantize `kernel` by hand to four bits, −8 to 7. How large does the error of the sum become?
#    Then use one scale for each column of the kernel, and compare.
# 3. Train five students with the teacher and five without, with seeds 0 to 4. Is the difference of
#    the means larger than its standard error?
# 4. Calibrate with `np.zeros((100, 32, 32, 3), np.uint8)`, black images. What is the accuracy, and
#    why?
