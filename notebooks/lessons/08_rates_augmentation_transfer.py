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
# # 8. Rates, optimizers, augmentation, transfer
#
# How long should a step be, in which direction should it go, and what can you do with too few
# images?
#
# **What you will see**
#
# * schedules of the learning rate, drawn, with the arguments of PyTorch and Keras;
# * three optimizers in a narrow valley, and four on CIFAR-10;
# * augmentations, drawn, and one that digits do not survive;
# * a network that has learned photographs, and learns digits from few labels.

# %% ko [markdown]
# # 8. 학습률, 옵티마이저, 데이터 증강, 전이 학습
#
# 한 걸음의 길이는 얼마여야 하고 어느 쪽으로 가야 하는가? 이미지가 너무 적을 때에는 무엇을 할 수 있는가?
#
# **이 장에서 배울 것**
#
# * 학습률 스케줄의 그림과, PyTorch와 Keras에서 쓰는 인수
# * 좁은 골짜기에서 비교한 옵티마이저 세 가지와 CIFAR-10에서 비교한 네 가지
# * 데이터 증강의 그림과, 숫자 이미지에는 써서는 안 되는 증강
# * 사진을 배운 신경망이 적은 레이블로 숫자를 배우는 전이 학습

# %% [markdown]
# ## Schedules
#
# A large rate at the beginning to get ahead, a small one at the end to settle down:
#
# * **step**: multiply by 0.1 every 30 epochs, as many networks were trained on ImageNet. PyTorch:
#   `StepLR(step_size=30, gamma=0.1)`. Keras: `ExponentialDecay` with `staircase=True`;
# * **cosine**: fall along half a cosine to zero, here in 90 epochs. `CosineAnnealingLR` of PyTorch
#   calls this length `T_max`; `CosineDecay` of Keras calls it `decay_steps` and counts steps, not
#   epochs. Often the rate rises for a few epochs first (warm-up);
# * **one-cycle**: rise for the first 30 % of the training, from 1/25 of the highest rate, then fall
#   to almost nothing. PyTorch: `OneCycleLR(pct_start=0.3, div_factor=25)`. Keras has none.
#
# If you do not know how long the training will be, ReduceLROnPlateau of the lesson before waits for
# the loss instead.

# %% ko [markdown]
# ## 학습률 스케줄
#
# 처음에는 큰 학습률로 빨리 나아가고, 끝에는 작은 학습률로 자리를 잡는다.
#
# * **계단**(step): 30에포크마다 0.1을 곱한다. 많은 신경망을 ImageNet에서 이렇게 학습했다. PyTorch에서는 `StepLR(step_size=30, gamma=0.1)`, Keras에서는 `staircase=True`를 준 `ExponentialDecay`이다.
# * **코사인**(cosine): 코사인의 반 주기를 따라, 여기서는 90에포크에 걸쳐 0까지 내려간다. 이 길이를 PyTorch의 `CosineAnnealingLR`에서는 `T_max`, Keras의 `CosineDecay`에서는 `decay_steps`라고 하며, Keras는 에포크가 아니라 단계(step)를 센다. 처음 몇 에포크 동안 학습률을 올리는 일(warm-up)도 많다.
# * **원사이클**(one-cycle): 학습의 처음 30 % 동안 최고 학습률의 1/25에서 올라가고, 그 뒤 거의 0까지 내려간다. PyTorch에서는 `OneCycleLR(pct_start=0.3, div_factor=25)`이고 Keras에는 없다.
#
# 학습이 얼마나 걸릴지 모를 때에는 앞 장의 ReduceLROnPlateau가 손실을 보고 학습률을 낮춘다.

# %%
import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from course import check, outcomes, photographs, show, test_accuracies
from kcnn.training import schedules

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
EPOCHS, STEPS = 90, 10  # steps in an epoch

rates = {
    "step": schedules.step(0.1, steps_per_epoch=STEPS, step_epochs=30, factor=0.1),
    "cosine": schedules.cosine(0.1, epochs=EPOCHS, steps_per_epoch=STEPS),
    "cosine, warm-up": schedules.cosine(0.1, epochs=EPOCHS, steps_per_epoch=STEPS, warmup_epochs=5),
    "one-cycle": schedules.one_cycle(0.1, epochs=EPOCHS, steps_per_epoch=STEPS, rise=0.3),
}
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
for (name, rate), style in zip(rates.items(), ("-", "--", "-.", ":"), strict=True):
    axes.plot(
        np.arange(0, EPOCHS + 0.1, 0.5),
        [rate(e * STEPS) for e in np.arange(0, EPOCHS + 0.1, 0.5)],
        style,
        label=name,
    )
axes.set_xlabel("epoch")
axes.set_ylabel("learning rate")
axes.legend(frameon=False)
plt.show()
for name, rate in rates.items():
    print(f"{name:16}", [f"{float(rate(epoch * STEPS)):.5f}" for epoch in (0, 15, 30, 45, 60, 90)])

# %% assert
at = {
    name: [float(rate(epoch * STEPS)) for epoch in (0, 30, 45, 60, 90)]
    for name, rate in rates.items()
}
assert np.allclose(at["step"], [0.1, 0.01, 0.01, 0.001, 1e-4])
assert np.allclose([at["cosine"][0], at["cosine"][2], at["cosine"][4]], [0.1, 0.05, 0], atol=1e-6)
assert (
    EPOCHS == 90
    and np.isclose(at["one-cycle"][0], 0.1 / 25)
    and np.isclose(at["one-cycle"][0] / 0.1, 1 / 25)
)
assert np.isclose(max(at["one-cycle"]), 0.1, atol=1e-3) and at["one-cycle"][-1] < 1e-5
assert 0.3 * EPOCHS == 27 and np.isclose(float(rates["one-cycle"](27 * STEPS)), 0.1)

# %% [markdown]
# What is a schedule worth? `compare_schedules` trained the simple CNN for 8 epochs with seven
# schedules of the same highest rate, three times each. Four of them begin with that rate, and how it
# falls afterwards, or that it stays, made no difference that three trainings could show: their means
# lie between 61.6 and 62.3 %. The other three rise first, and they are ahead by 4 points: a cosine
# after a warm-up of two epochs reached 66.3 %, one-cycle 66.6 % and a triangle, which rises and
# falls along lines, 67.0 %. The two cosines are the same but for the warm-up.

# %% ko [markdown]
# 스케줄은 얼마나 중요할까? `compare_schedules`는 단순한 CNN을 최고 학습률이 같은 스케줄 일곱 가지로 8에포크씩, 세 번씩 학습했다. 그중 넷은 최고 학습률에서 바로 시작한다. 그 뒤에 어떻게 내려가는지, 아예 내려가지 않는지는 세 번의 학습으로 알아볼 만한 차이를 만들지 못했다. 넷의 평균은 61.6에서 62.3 % 사이이다. 나머지 셋은 먼저 올라가며, 4퍼센트포인트 앞선다. 두 에포크의 warm-up 뒤에 코사인을 따르면 66.3 %, 원사이클은 66.6 %, 직선으로 올라갔다가 내려오는 삼각형은 67.0 %이다. 코사인 두 가지는 warm-up만 다르다.

# %%
tested = test_accuracies("compare_schedules")
for name, scores in tested.items():
    print(f"{name:18} {np.mean(scores):.1f} % ± {np.std(scores, ddof=1):.1f}")

# %% assert
rising = ("cosine, warmed up", "one cycle", "triangle")
reached = {name: round(np.mean(scores), 1) for name, scores in tested.items()}
falling = {name: mean for name, mean in reached.items() if name not in rising}
assert [reached[name] for name in rising] == [66.3, 66.6, 67.0]
assert (min(falling.values()), max(falling.values())) == (61.6, 62.3)
assert round(min(reached[name] for name in rising) - max(falling.values())) == 4 == len(falling)
assert len(tested) == 7 and {len(scores) for scores in tested.values()} == {3}
for one in falling:
    assert all(min(tested[one]) < max(tested[other]) for other in falling)
    assert max(tested[one]) < min(min(tested[other]) for other in rising)
assert {len(each["history"]["loss"]) for each in outcomes("compare_schedules")} == {8}

# %% [markdown]
# ## Optimizers
#
# Gradient descent has difficulties with long, narrow valleys. Across the valley the slope is steep,
# so the steps must be short; along the valley it is nearly flat, so the steps should be long. In
# this valley the curvatures differ by a factor of 30. Three optimizers take 60 steps each:
#
# * **SGD** follows the gradient;
# * **momentum** sums up past gradients: those that alternate cancel out, those that persist add up;
# * **Adam** divides each component of the gradient by its usual size.

# %% ko [markdown]
# ## 옵티마이저
#
# 경사 하강법은 길고 좁은 골짜기를 어려워한다. 골짜기를 가로지르는 방향은 가팔라서 걸음이 짧아야 하고, 골짜기를 따라가는 방향은 거의 평평해서 걸음이 길어야 한다. 아래 골짜기에서는 두 방향의 곡률이 30배 차이 난다. 옵티마이저 세 가지로 60걸음씩 내려가 보자.
#
# * **SGD**는 기울기를 그대로 따른다.
# * **모멘텀**(momentum)은 지난 기울기를 더해 간다. 방향이 번갈아 바뀌는 것은 상쇄되고 계속되는 것은 쌓인다.
# * **Adam**은 기울기의 성분마다 그 평소 크기로 나눈다.

# %%
STEEPNESS = np.array([1.0, 30.0])


def descend(optimizer, steps=60):
    place = keras.Variable([-9.0, 2.5])
    path = [place.numpy()]
    optimizer.build([place])
    for _ in range(steps):
        optimizer.apply([tf.constant(STEEPNESS * place.numpy(), "float32")], [place])
        path.append(place.numpy())
    return np.array(path)


paths = {
    "SGD": descend(keras.optimizers.SGD(0.03)),
    "momentum": descend(keras.optimizers.SGD(0.03, momentum=0.8)),
    "Adam": descend(keras.optimizers.Adam(0.5)),
}
across, along = np.meshgrid(np.linspace(-3, 3, 100), np.linspace(-10, 4, 100))
height = (STEEPNESS[0] * along**2 + STEEPNESS[1] * across**2) / 2
figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.5), layout="constrained", sharey=True)
for cell, (name, path), color in zip(axes, paths.items(), COLORS, strict=False):
    cell.contour(along, across, height, levels=np.geomspace(0.5, 150, 9), colors="0.8")
    cell.plot(*path.T, "o-", ms=2, linewidth=1, color=color)
    cell.plot(0, 0, "k*", ms=9)
    cell.set_title(f"{name}: {np.linalg.norm(path[-1]):.3f} from the minimum", fontsize=9)
plt.show()

# %% assert
distance = {name: float(np.linalg.norm(path[-1])) for name, path in paths.items()}
assert STEEPNESS[1] / STEEPNESS[0] == 30
assert all(len(path) == 60 + 1 for path in paths.values())
assert distance["momentum"] < distance["SGD"]

# %% [markdown]
# The loss of a network is not a valley in two dimensions. `compare_optimizers` trained the simple
# CNN on all of CIFAR-10 for 8 epochs, three times with each optimizer, at the learning rate that is
# usual for it.
#
# SGD with momentum reaches 70.7 % in the mean, the three adaptive optimizers (Adam, AdamW, RMSprop)
# 64.9 to 65.5 %. The trainings of one optimizer differ by up to 1.6 points, so which of the three
# adaptive ones is best is not known. But every training by SGD is ahead of every other one by more
# than 4 points: within *this experiment* its lead is not chance. It is not a general law: the learning
# rates were the usual ones, not the best for each optimizer, and 8 epochs are few. The default is not
# always the best; say which rates you compared; one training is not evidence.

# %% ko [markdown]
# 신경망의 손실은 2차원의 골짜기가 아니다. `compare_optimizers`는 단순한 CNN을 CIFAR-10 전체로 8에포크씩, 옵티마이저마다 세 번, 각각에 흔히 쓰는 학습률로 학습했다.
#
# 평균을 보면 모멘텀을 쓴 SGD는 70.7 %에, 적응형 옵티마이저 셋(Adam, AdamW, RMSprop)은 64.9에서 65.5 %에 이른다. 같은 옵티마이저로 학습한 결과가 1.6퍼센트포인트까지 차이 나므로 적응형 셋 가운데 어느 것이 가장 좋은지는 알 수 없다. 그러나 SGD의 결과는 모두 다른 어느 결과보다 4퍼센트포인트 넘게 앞선다. 따라서 *이 실험에서* SGD가 앞선 것은 우연이 아니다. 그렇다고 일반 법칙은 아니다. 학습률은 각각에 가장 좋은 값이 아니라 흔히 쓰는 값이었고, 8에포크는 짧다. 기본값이 언제나 가장 좋은 것은 아니다. 어떤 학습률을 비교했는지 밝혀야 하며, 한 번의 학습은 증거가 되지 못한다.

# %%
tested = test_accuracies("compare_optimizers")
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
for row, values in enumerate(tested.values()):
    axes.plot(values, [row] * len(values), "o", color=COLORS[row])
axes.set_yticks(range(len(tested)), tested)
axes.invert_yaxis()
axes.set_xlabel("test accuracy (%), one point for each training")
axes.set_xlim(60, 75)
axes.grid(alpha=0.3)
plt.show()

# %% assert
means = {name: round(np.mean(values), 1) for name, values in tested.items()}
assert means == {"SGD, momentum 0.9": 70.7, "Adam": 65.0, "AdamW": 65.5, "RMSprop": 64.9}
assert {len(values) for values in tested.values()} == {3}
assert round(max(np.ptp(values) for values in tested.values()), 1) == 1.6
sgd, *adaptive = tested.values()
assert min(sgd) - 4 > max(map(max, adaptive))
assert all(min(one) < max(other) for one in adaptive for other in adaptive)
assert {len(each["history"]["loss"]) for each in outcomes("compare_optimizers")} == {8}
assert 2 == STEEPNESS.size

# %% [markdown]
# ## Augmentation
#
# Change the training images a little at random, in each epoch differently, and the network cannot
# learn them by heart. The change must leave the label true. All of these are operations of
# `kcnn.data.load(augment=[...])`; "mixup" and "cutmix" mix two images *and their labels*. A list
# names exactly the operations that are done; the name "cutmix" alone means shift, mirror and
# cutmix.
#
# In the picture, `rotate_color` also changes brightness, contrast and saturation, `resized_crop`
# enlarges a random part of the image, and `cutout` hides a square of it.

# %% ko [markdown]
# ## 데이터 증강
#
# 학습 이미지를 에포크마다 다르게, 무작위로 조금씩 바꾸면 신경망이 통째로 외우지 못한다. 바꾼 뒤에도 레이블은 옳아야 한다. 아래는 모두 `kcnn.data.load(augment=[...])`의 연산이다. "mixup"과 "cutmix"는 이미지 두 장과 *그 레이블까지* 섞는다. 리스트를 주면 거기 적은 연산만 한다. 리스트 없이 "cutmix"라고만 쓰면 이동과 좌우 반전도 함께 한다.
#
# 그림에서 `rotate_color`는 돌리면서 밝기, 대비, 채도도 바꾸고, `resized_crop`은 이미지의 일부를 무작위로 골라 확대하며, `cutout`은 정사각형 하나를 가린다.

# %%
images, labels, names = photographs()
KINDS = (
    "none",
    "shift",
    "mirror",
    "rotate_color",
    "zoom",
    "resized_crop",
    "cutout",
    "mixup",
    "cutmix",
)
figure, axes = plt.subplots(3, len(KINDS), figsize=(9.5, 3.4), layout="constrained")
batches = {}
for column, kind in enumerate(KINDS):
    augment = kind if kind == "none" else [kind]
    own = kcnn.data.from_arrays(images, labels, batch_size=20, augment=augment)
    batches[kind] = next(own.train.as_numpy_iterator())
    for row in range(3):
        show(axes[row, column], batches[kind][0][row], kind if row == 0 else "")
plt.show()
print("labels of cutmix:", batches["cutmix"][1][0].round(2))

# %% assert
assert all(
    batch.dtype == np.uint8 and batch.shape == (20, 32, 32, 3) for batch, _ in batches.values()
)
assert batches["mixup"][1].shape == (20, 10)
assert np.allclose(batches["cutmix"][1].sum(axis=1), 1, atol=1e-5)
assert not np.array_equal(batches["shift"][0], batches["none"][0])

# %% [markdown]
# **Mixed labels, by hand.** *Mixup* blends two images: 70 % of a ship and 30 % of a frog, with the
# label 0.7 ship and 0.3 frog. *Cutmix* pastes a part of one image into the other; the label is the
# share of the pixels, here 0.75 and 0.25. In training the shares are drawn at random for each pair.
#
# The cross-entropy of a mixed label is the mix of the two cross-entropies,
# $-0.7 \log p_\text{ship} - 0.3 \log p_\text{frog}$. It is smallest when the two probabilities
# equal the shares, so the network learns to be no more certain than the picture allows. From one
# class to the other its answer then changes gradually, and it memorizes less. To a person the
# pictures look odd, but no person has to classify them.

# %% ko [markdown]
# **섞은 레이블을 손으로.** *Mixup*은 이미지 두 장을 겹친다. 배 70 %와 개구리 30 %를 섞으면 레이블은 배 0.7, 개구리 0.3이다. *Cutmix*는 한 이미지의 일부를 다른 이미지에 붙인다. 레이블은 픽셀의 비율로, 여기서는 0.75와 0.25이다. 학습할 때에는 쌍마다 비율을 무작위로 정한다.
#
# 섞은 레이블의 교차 엔트로피는 두 교차 엔트로피를 같은 비율로 섞은 것, $-0.7 \log p_\text{ship} - 0.3 \log p_\text{frog}$이다. 두 확률이 섞은 비율과 같을 때 가장 작으므로, 신경망은 그림이 보여 주는 것보다 더 확신하지 않도록 학습된다. 그러면 한 클래스에서 다른 클래스로 갈 때 답이 서서히 바뀌고, 학습 이미지를 덜 외운다. 사람 눈에는 이상한 그림이지만, 사람이 분류할 것이 아니므로 상관없다.

# %%
ship, frog = images[labels == names.index("ship")][1], images[labels == names.index("frog")][0]
one_ship, one_frog = (np.eye(10)[names.index(name)] for name in ("ship", "frog"))
blended, blended_label = 0.7 * ship + 0.3 * frog, 0.7 * one_ship + 0.3 * one_frog
pasted = ship.copy()
pasted[:16, 16:] = frog[:16, 16:]
from_frog = np.zeros((32, 32))
from_frog[:16, 16:] = 1
pasted_label = (1 - from_frog.mean()) * one_ship + from_frog.mean() * one_frog

figure, axes = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
show(axes[0], ship, "ship")
show(axes[1], frog, "frog")
show(axes[2], blended.astype("uint8"), "mixup: 70 % ship, 30 % frog")
show(axes[3], pasted, "cutmix: 75 % ship, 25 % frog")
plt.show()

logits = np.asarray(kcnn.models.pretrained("resnet20")(blended[None]), float)[0]
losses = np.logaddexp.reduce(logits) - logits  # the cross-entropy for each class
print("cross-entropy of the mixed label:", (blended_label * losses).sum().round(4))
mix = 0.7 * losses[names.index("ship")] + 0.3 * losses[names.index("frog")]
print("mix of the two cross-entropies:  ", mix.round(4))
print("the label of cutmix:", pasted_label[[names.index("ship"), names.index("frog")]])

# %% assert
assert np.isclose((blended_label * losses).sum(), mix)
assert 100 * 0.7 == 70 and round(100 * 0.3) == 30
assert pasted_label[names.index("ship")] == 0.75 and pasted_label[names.index("frog")] == 0.25
assert np.isclose(blended_label.sum(), 1) and np.isclose(pasted_label.sum(), 1)
by_kcnn = kcnn.data.from_arrays(images, labels, batch_size=20, augment="mixup")
mixed, soft = next(by_kcnn.train.as_numpy_iterator())
assert ((soft > 0).sum(axis=1) <= 2).all() and np.allclose(soft.sum(axis=1), 1, atol=1e-5)

# %% [markdown]
# A mirrored ship is a ship. A mirrored 2 is no digit, and a 6 that is turned upside down is a 9. So
# kcnn never mirrors digits, even if the augmentation asks for it. Here is what shifting is worth:
# the same network, trained on 270 digits with and without it, scored on test digits that are moved
# by 3 pixels.

# %% ko [markdown]
# 좌우를 바꾼 배는 여전히 배이다. 그러나 좌우를 바꾼 2는 숫자가 아니고, 6을 거꾸로 돌리면 9가 된다. 그래서 kcnn은 증강에서 요구하더라도 숫자의 좌우는 바꾸지 않는다. 이동 증강의 값어치를 재 보자. 같은 신경망을 숫자 270장으로, 이동 증강이 있을 때와 없을 때 학습하고, 3픽셀 옮긴 테스트 숫자로 채점한다.

# %%
moved_accuracy = {}
for augment in ("none", "shift"):
    keras.utils.set_random_seed(0)
    digits = kcnn.data.load("digits", limit=300, batch_size=45, augment=augment)
    model = kcnn.models.simple_cnn(spatial_dropout=0, dropout=0)
    kcnn.train(model, digits, epochs=25, learning_rate=2e-3, callbacks=[])
    pixels, truth = (
        np.concatenate(each) for each in zip(*digits.test.as_numpy_iterator(), strict=True)
    )
    moved = np.zeros_like(pixels)
    moved[:, 3:, 3:] = pixels[:, :-3, :-3]
    moved_accuracy[augment] = [
        float((model.predict(each, verbose=0).argmax(1) == truth).mean())
        for each in (pixels, moved)
    ]
    print(
        f"augment={augment!r:8} as they are {moved_accuracy[augment][0]:.1%}, moved {moved_accuracy[augment][1]:.1%}"
    )

# %% assert
assert [digits.class_names[n] for n in (2, 6, 9)] == ["2", "6", "9"]
assert digits.num_train == 270 and pixels.shape[1] - 3 == moved[:, 3:].shape[1]
assert moved_accuracy["shift"][1] > moved_accuracy["none"][1] + 0.1
mirrored = kcnn.data.load("digits", limit=300, batch_size=45, augment="mirror")
assert np.array_equal(
    next(mirrored.train.as_numpy_iterator())[0],
    next(
        kcnn.data.load("digits", limit=300, batch_size=45, augment="none").train.as_numpy_iterator()
    )[0],
)

# %% [markdown]
# ## Transfer
#
# The first layers of a network find edges and colors, whatever it was trained for. So take a
# trained **base model**, put a new *head* on it (the last dense layer, for the new classes), and
# train only the head: the *frozen* base cannot forget. With few labels that is often all you can
# do. Then *fine-tune*: let the last layers train too, at a smaller learning rate.
#
# The base is the ResNet-20 for photographs; the new classes are digits. Its head has 650
# parameters. A frozen batch norm also keeps its statistics.

# %% ko [markdown]
# ## 전이 학습
#
# 신경망의 앞쪽 층은 무엇을 위해 학습했든 경계와 색을 찾아낸다. 그러니 학습된 **기반 모델**(base model)을 가져와 새 *헤드*(head, 새 클래스를 위한 마지막 완전 연결층)를 얹고 헤드만 학습한다. *동결*(freeze)한 기반 모델은 배운 것을 잊지 않는다. 레이블이 적을 때에는 이것이 할 수 있는 전부일 때가 많다. 그다음에 *미세 조정*(fine-tuning)을 한다. 더 작은 학습률로 마지막 층들도 함께 학습하는 것이다.
#
# 기반 모델은 사진을 배운 ResNet-20이고 새 클래스는 숫자이다. 새 헤드의 파라미터는 650개이다. 동결한 배치 정규화는 통계량도 그대로 유지한다.


# %%
def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


base = kcnn.models.pretrained("resnet20")
model = kcnn.models.transfer(base, 10)
print(f"frozen body: {trainable(model):,} of {model.count_params():,} parameters train")

keras.utils.set_random_seed(0)
few = kcnn.data.load("digits", limit=120, validation=0.25, batch_size=30, augment="none")
before = [weight.numpy() for weight in model.non_trainable_weights]
kcnn.train(model, few, epochs=15, learning_rate=1e-2, callbacks=[])
moved = sum(
    not np.array_equal(a, b) for a, b in zip(before, model.non_trainable_weights, strict=True)
)
head_only = kcnn.evaluate(model, few.validation).accuracy
print(f"head only: {head_only:.1%} of the validation digits; {moved} frozen arrays changed")

kcnn.models.fine_tune_from(model, "stage3_block1_conv1")
print(f"last stage: {trainable(model):,} parameters train")
kcnn.train(model, few, epochs=15, learning_rate=1e-3, callbacks=[])
print(f"fine-tuned: {kcnn.evaluate(model, few.validation).accuracy:.1%}")

# %% assert
assert few.num_train == 90 and moved == 0
assert trainable(kcnn.models.transfer(base, 10)) == 650 == 64 * 10 + 10
fine_tuned = kcnn.evaluate(model, few.validation).accuracy
assert trainable(model) == 204_170 and fine_tuned > head_only

# %% [markdown]
# `kcnn run transfer_digits` did this with three seeds and scored all test digits: 46.4 % with the
# frozen base ("frozen body" below), 88.1 % after fine-tuning its last stage, and 89.7 % **from
# scratch**. Photographs are so different from digits that transfer does not help here, and freezing
# hurts. Always train the small network from scratch as well, so that you know what the transfer was
# worth.
#
# A better network is not always a better base. An earlier ResNet-20, trained for a shorter time and
# without cutout and label smoothing, was worse on photographs, and its frozen features were better
# for digits (the numbers are in `recipes/transfer_digits.py`). Label smoothing is a likely reason:
# it moves the classes further apart in the last layers, and such features, frozen, are worth less
# for another task: see [Kornblith et al.](https://arxiv.org/abs/2010.16402).
#
# Transfer pays where the new images are of the kind that the base knows. `kcnn run
# transfer_classes` learns cats and dogs from 50 photographs each, and its base is a ResNet-8 that
# knows the eight other classes of CIFAR-10. Of 2,000 test images it gets 60.0 % right from scratch,
# 68.1 % with the frozen base, and 70.9 % after fine-tuning the last unit; guessing gets 50 %.

# %% ko [markdown]
# `kcnn run transfer_digits`는 시드 세 개로 이것을 되풀이하고 테스트 숫자 전체로 채점했다. 동결한 기반 모델(아래의 "frozen body")은 46.4 %, 마지막 단계를 미세 조정하면 88.1 %, **처음부터** 학습하면 89.7 %이다. 사진과 숫자는 워낙 달라서 전이 학습이 도움이 되지 않고, 동결은 오히려 해롭다. 전이 학습의 값어치를 알려면 언제나 처음부터 학습한 결과와 비교해야 한다.
#
# 더 나은 신경망이 언제나 더 나은 기반 모델인 것은 아니다. 더 짧게, 컷아웃과 레이블 스무딩 없이 학습한 이전의 ResNet-20은 사진에서는 더 나빴지만, 동결한 특성은 숫자에 더 좋았다(수치는 `recipes/transfer_digits.py`에 있다). 레이블 스무딩이 그 이유일 수 있다. 레이블 스무딩은 마지막 층들에서 클래스들을 더 멀리 떼어 놓으며, 그런 특성은 동결하면 다른 과제에서 값어치가 떨어진다. 이 현상을 다룬 논문: [Kornblith et al.](https://arxiv.org/abs/2010.16402).
#
# 전이 학습은 새 사진이 기반 모델이 아는 것과 비슷할 때 값어치를 한다. `kcnn run transfer_classes`는 고양이와 개를 사진 50장씩으로 배우는데, 기반 모델은 CIFAR-10의 나머지 여덟 클래스를 아는 ResNet-8이다. 테스트 사진 2,000장에 대한 정확도는 처음부터 학습하면 60.0 %, 동결한 기반 모델로는 68.1 %, 마지막 유닛을 미세 조정하면 70.9 %이다. 아무렇게나 찍어도 50 %는 맞는다.

# %%
means = {}
for recipe in ("transfer_digits", "transfer_classes"):
    print(recipe)
    for name, scores in test_accuracies(recipe).items():
        means[recipe, name] = round(np.mean(scores), 2)
        print(f"  {name:22} {means[recipe, name]:.1f} % ± {np.std(scores, ddof=1):.1f}")

# %% assert
assert {name: round(mean, 1) for name, mean in means.items()} == {
    ("transfer_digits", "from scratch"): 89.7,
    ("transfer_digits", "frozen body"): 46.4,
    ("transfer_digits", "head, then last stage"): 88.1,
    ("transfer_classes", "from scratch"): 60.0,
    ("transfer_classes", "frozen body"): 68.1,
    ("transfer_classes", "head, then last unit"): 70.9,
}
assert 100 / len(("cat", "dog")) == 50
assert {len(outcomes(recipe)) for recipe, _ in means} == {9}
assert {each["test_images"] for each in outcomes("transfer_classes")} == {2000}
assert {each["train_images"] for each in outcomes("transfer_classes")} == {80}

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** A step schedule starts at 0.1 and is multiplied by 0.1 every 30 epochs. Which rate
# has epoch 75, counted from 0?

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** 계단 스케줄이 0.1에서 시작해 30에포크마다 0.1배가 된다. 에포크를 0부터 셀 때 에포크 75의 학습률은 얼마인가?

# %% exercise
rate = ...
check("step", rate)

# %% solution
rate = 0.1 * 0.1 ** (75 // 30)
check("step", rate)

# %% [markdown]
# **Exercise 2.** Write the cosine schedule: the rate at epoch $t$ of $T$, from `highest` to zero.

# %% ko [markdown]
# **문제 2.** 코사인 스케줄을 작성하라. 전체 $T$에포크 중 $t$번째 에포크의 학습률이며, `highest`에서 0까지 내려간다.


# %% exercise
def cosine(t, T, highest):
    return ...


check("cosine", cosine)


# %% solution
def cosine(t, T, highest):
    return highest * (1 + np.cos(np.pi * t / T)) / 2


check("cosine", cosine)

# %% [markdown]
# **Exercise 3.** You photograph traffic signs, some of which say "turn left" and some "turn right".
# Which of "shift", "mirror" and "cutout" must you not use?

# %% ko [markdown]
# **문제 3.** 교통 표지판 사진을 모았다. "좌회전" 표지도 있고 "우회전" 표지도 있다. "shift", "mirror", "cutout" 가운데 써서는 안 되는 것은 무엇인가?

# %% exercise
forbidden = ...
check("signs", forbidden)

# %% solution
forbidden = "mirror"
check("signs", forbidden)
