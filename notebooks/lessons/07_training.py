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
# # 7. Training
#
# A network, labeled images and plain Keras: `compile`, `fit` and three callbacks.
#
# **What you will see**
#
# * data in three parts, and the purpose of each; why choosing on test images deceives you;
# * a network that learns too little, and one that learns by heart;
# * each parameter of EarlyStopping, ReduceLROnPlateau and ModelCheckpoint, acting;
# * a training that is killed and goes on as if nothing had happened;
# * the test accuracy, and how uncertain it is.
#
# It runs on handwritten digits that come with scikit-learn, and on few of them, so that overfitting
# is easy to see.

# %% ko [markdown]
# # 7. 학습
#
# 신경망과 레이블이 붙은 이미지, 그리고 Keras의 `compile`, `fit`, 콜백(callback) 세 가지면 된다.
#
# **이 장에서 배울 것**
#
# * 데이터를 세 부분으로 나누는 까닭과 각 부분의 쓰임새, 테스트 이미지로 고르면 속게 되는 까닭
# * 너무 적게 배우는 신경망과 통째로 외워 버리는 신경망
# * EarlyStopping, ReduceLROnPlateau, ModelCheckpoint의 매개변수가 저마다 하는 일
# * 강제로 종료되었다가 아무 일 없었던 것처럼 이어지는 학습
# * 테스트 정확도와 그 불확실성
#
# scikit-learn에 들어 있는 손글씨 숫자를 쓴다. 과적합이 잘 보이도록 일부러 적은 수만 쓴다.

# %% [markdown]
# ## The data, in three parts
#
# The network learns from the **training** images. We use the **validation** images to make choices:
# when to stop, which epoch was best, which network. Because of these choices their score is a
# little too good. The **test** images are scored once, at the very end, and nothing is chosen by
# them.

# %% ko [markdown]
# ## 세 부분으로 나눈 데이터
#
# 신경망은 **학습** 이미지에서 배운다. **검증** 이미지로는 선택을 한다. 언제 멈출지, 어느 에포크가 가장 좋았는지, 어느 신경망을 쓸지를 고른다. 고르는 데 썼기 때문에 검증 점수는 실제보다 조금 좋게 나온다. **테스트** 이미지는 맨 끝에 한 번만 채점하며, 이것으로는 아무것도 고르지 않는다.

# %%
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kcnn
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from course import check

tf.config.experimental.enable_op_determinism()  # the same numbers in each run on one machine
keras.utils.set_random_seed(0)
data = kcnn.data.load("digits", limit=400, validation=0.25, batch_size=50, augment="none")
print(data.num_train, "training,", data.num_validation, "validation,", data.num_test, "test images")

images, labels = next(data.train.as_numpy_iterator())
figure, axes = plt.subplots(2, 8, figsize=(8, 2.4), layout="constrained")
for cell, image, label in zip(axes.flat, images, labels, strict=False):
    cell.imshow(image)
    cell.set_title(data.class_names[label], fontsize=9)
    cell.axis("off")
plt.show()

# %% assert
assert images.dtype == np.uint8 and images.shape[1:] == (32, 32, 3)
assert (data.num_train, data.num_validation) == (300, 100)

# %% [markdown]
# **Why not choose by the test images?** Here are 200 "networks" that guess at random among ten
# classes. Choose the one with the best score on 100 images: it looks nearly twice as good as
# chance. On new images it is not.

# %% ko [markdown]
# **테스트 이미지로 고르면 왜 안 되는가?** 클래스 열 개 중에서 아무렇게나 찍는 "신경망" 200개가 있다. 이미지 100장에서 점수가 가장 높은 것을 골라 보자. 우연보다 거의 두 배나 잘하는 것처럼 보인다. 새 이미지에서는 그렇지 않다.

# %%
rng = np.random.default_rng(0)
truth, fresh_truth = rng.integers(0, 10, 100), rng.integers(0, 10, 10_000)
guesses = rng.integers(0, 10, (200, 100))
scores = (guesses == truth).mean(axis=1)
fresh = (rng.integers(0, 10, 10_000) == fresh_truth).mean()
print(
    f"mean of all {scores.mean():.1%}, the chosen one {scores.max():.0%}, on new images {fresh:.1%}"
)

# %% assert
assert guesses.shape == (200, 100)
assert scores.max() > 0.17 and abs(scores.mean() - 0.1) < 0.01 and abs(fresh - 0.1) < 0.01

# %% [markdown]
# ## Too little, too much
#
# All models of kcnn have two properties in common. Their input is **raw pixels** from 0 to 255: the
# model scales them itself, so nobody can forget to do it. Their output is **logits**: ten numbers,
# of which the largest is the predicted class. A *softmax* turns logits $z$ into probabilities,
# $p_i = e^{z_i} / \sum_j e^{z_j}$. The loss, *cross-entropy*, is $-\log p$ of the true class: zero
# if the network is certain of it, and the larger, the smaller that probability. The loss includes
# the softmax (`from_logits=True`), which is more accurate.
#
# Three networks on the same 300 digits. A network that is too small **underfits**: it is already
# bad on the training images. A network that learns the training images by heart and fails on others
# **overfits**: the gap between the two accuracies shows it. More data, augmentation (see the next
# lesson), dropout, weight decay (each step also shrinks the weights a little) and an earlier stop
# help against the second; only a better network or a longer training helps against the first.

# %% ko [markdown]
# ## 과소적합과 과적합
#
# kcnn의 모든 모델에는 두 가지 공통점이 있다. 입력은 0에서 255까지의 **원래 픽셀**이다. 크기 조정은 모델이 스스로 하므로 누구도 빠뜨릴 수 없다. 출력은 **로짓**(logit)이다. 숫자 열 개 가운데 가장 큰 것이 예측한 클래스이다. *소프트맥스*(softmax)는 로짓 $z$를 확률 $p_i = e^{z_i} / \sum_j e^{z_j}$로 바꾼다. 손실인 *교차 엔트로피*(cross-entropy)는 정답 클래스의 $-\log p$이다. 신경망이 정답을 확신하면 0이고, 정답의 확률이 작을수록 커진다. 손실 함수가 소프트맥스를 포함하며(`from_logits=True`), 이렇게 하는 쪽이 더 정확하다.
#
# 같은 숫자 300장으로 신경망 세 개를 학습한다. 너무 작은 신경망은 **과소적합**(underfitting)한다. 학습 이미지에서부터 성적이 나쁘다. 학습 이미지를 외워 버리고 다른 이미지에서는 틀리는 신경망은 **과적합**(overfitting)한다. 두 정확도의 차이로 알 수 있다. 과적합에는 더 많은 데이터, 데이터 증강(다음 장에서 다룬다), 드롭아웃, 가중치 감쇠(걸음마다 가중치도 조금씩 줄이기), 조기 종료가 도움이 된다. 과소적합에는 더 나은 신경망이나 더 긴 학습만이 도움이 된다.


# %%
def compiled(model, rate=2e-3):
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def fitted(model, epochs, callbacks=()):
    compiled(model)
    history = model.fit(
        data.train,
        validation_data=data.validation,
        epochs=epochs,
        callbacks=list(callbacks),
        shuffle=False,  # the data set shuffles itself before every epoch
        verbose=0,
    )
    return history.history


keras.utils.set_random_seed(0)
candidates = {
    "4 dense units": kcnn.models.mlp(units=4, depth=1, dropout=0, activation="tanh"),
    "512 dense units": kcnn.models.mlp(units=512, depth=1, dropout=0),
    "simple CNN": kcnn.models.simple_cnn(spatial_dropout=0.1, dropout=0.3),
}
reached = {}
for name, model in candidates.items():
    history = fitted(model, 15)
    reached[name] = history["accuracy"][-1], history["val_accuracy"][-1]
    print(f"{name:16} training {reached[name][0]:6.1%}   validation {reached[name][1]:6.1%}")

# %% assert
assert data.num_train == 300 and images.min() == 0 and 200 < images.max() <= 255
assert reached["4 dense units"][0] < 0.9
assert reached["512 dense units"][0] > 0.97
assert reached["512 dense units"][0] > reached["512 dense units"][1]

# %% [markdown]
# ## What each parameter of a callback does
#
# A callback is called after every epoch and gets the numbers of that epoch (the *logs*). To see
# exactly what it does, we only pretend to train: no images, just a made-up validation loss for each
# of 12 epochs. It falls, is higher for three epochs, falls once more and rises. The bias of the toy
# model is set to the number of the epoch, so that we can read off which epoch's weights are in the
# model at the end.

# %% ko [markdown]
# ## 콜백의 매개변수가 하는 일
#
# 콜백은 에포크가 끝날 때마다 호출되어 그 에포크의 수치(*로그*, logs)를 받는다. 정확히 무엇을 하는지 보기 위해 학습을 흉내 내 보자. 이미지는 없고, 12에포크의 검증 손실을 미리 정해 둔다. 손실은 내려가다가 세 에포크 동안 그보다 높은 곳에 머물고, 한 번 더 내려갔다가 다시 올라간다. 장난감 모델의 편향에는 에포크 번호를 넣어 두어, 끝났을 때 어느 에포크의 가중치가 들어 있는지 알 수 있게 한다.


# %%
VAL_LOSS = [1.0, 0.8, 0.7, 0.69, 0.72, 0.71, 0.70, 0.60, 0.65, 0.66, 0.67, 0.68]


def play(callback, rate=1.0, batches=2):
    """Return the number of epochs, the epoch whose weights are left, and the rates."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mean_squared_error")
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(VAL_LOSS):
        callback.on_epoch_begin(epoch)
        model.layers[-1].bias.assign([epoch + 1.0])
        rates.append(float(model.optimizer.learning_rate))
        for batch in range(batches):
            callback.on_train_batch_end(batch, {"loss": 1.0 / (epoch + 1)})
        callback.on_epoch_end(epoch, {"val_loss": value, "loss": 1.0 / (epoch + 1)})
        if model.stop_training:
            break
    callback.on_train_end()
    return len(rates), int(model.layers[-1].bias.numpy()[0]), rates


figure, axes = plt.subplots(figsize=(5, 2.2), layout="constrained")
axes.plot(range(1, 13), VAL_LOSS, "o-", ms=3)
axes.set_xlabel("epoch")
axes.set_ylabel("validation loss")
plt.show()

# %% assert
assert len(VAL_LOSS) == 12

# %% [markdown]
# **EarlyStopping** stops after `patience` epochs without improvement. The first line of the output
# has the settings of `base`; each other line changes one parameter.
#
# | parameter | what it does, and what the change does here |
# | --- | --- |
# | `monitor` | the number that it watches. The training loss always falls, so it never stops the training |
# | `patience` | how many epochs without improvement it waits for. With more patience it sees the second fall |
# | `min_delta` | a smaller improvement does not count. The last step down to the first minimum is too small |
# | `restore_best_weights` | puts the weights of the best epoch back. Without it the last ones stay |
# | `start_from_epoch` | ignores the epochs before this one, so that a rough beginning does not end the training |
# | `baseline` | the waiting begins again only with an epoch that is also better than this. None is before the first rise, so it stops there |
# | `mode` | whether less or more is better. `max` is wrong for a loss: the first epoch, the worst, counts as the best |
# | `verbose` | prints a line when it acts |

# %% ko [markdown]
# **EarlyStopping**은 `patience`에포크 동안 나아지지 않으면 학습을 멈춘다. 출력의 첫 줄은 `base`의 설정이고, 나머지 줄은 매개변수를 하나씩 바꾼 것이다.
#
# | 매개변수 | 하는 일, 그리고 여기서 바꾼 결과 |
# | --- | --- |
# | `monitor` | 지켜볼 수치. 학습 손실은 계속 내려가므로 학습을 멈추지 않는다 |
# | `patience` | 나아지지 않아도 기다리는 에포크 수. 더 기다리면 두 번째 하강을 본다 |
# | `min_delta` | 이보다 적게 나아진 것은 나아진 것으로 치지 않는다. 첫 번째 최솟값에 이르는 마지막 하강은 너무 작다 |
# | `restore_best_weights` | 가장 좋았던 에포크의 가중치를 되돌려 놓는다. 쓰지 않으면 마지막 가중치가 남는다 |
# | `start_from_epoch` | 이 에포크 전의 에포크는 무시한다. 처음에 흔들린다고 학습이 끝나 버리지 않게 한다 |
# | `baseline` | 이 값보다도 좋아진 에포크라야 기다린 횟수를 처음부터 다시 센다. 그런 에포크가 나오기 전에, 손실이 처음 오르자마자 멈춘다 |
# | `mode` | 작은 것이 좋은지 큰 것이 좋은지. 손실에 `max`를 쓰면 가장 나쁜 첫 에포크를 가장 좋은 것으로 여긴다 |
# | `verbose` | 작동할 때 한 줄을 출력한다 |

# %%
base = {"monitor": "val_loss", "patience": 3, "restore_best_weights": True}
changes = [
    {},
    {"patience": 5},
    {"min_delta": 0.05},
    {"restore_best_weights": False},
    {"start_from_epoch": 6},
    {"baseline": 0.65},
    {"mode": "max"},
    {"monitor": "loss"},
    {"verbose": 1},
]
stopped = []
for change in changes:
    epochs, left, _ = play(keras.callbacks.EarlyStopping(**{**base, **change}))
    stopped.append((epochs, left))
    print(f"{change!s:34} stops after epoch {epochs:2}, weights of epoch {left}")

# %% assert
assert stopped == [(7, 4), (12, 8), (6, 3), (7, 7), (11, 8), (5, 4), (4, 1), (12, 12), (7, 4)]

# %% [markdown]
# **ReduceLROnPlateau** multiplies the learning rate by `factor` after `patience` epochs without
# improvement: steps that are right on the way to a minimum are too large to get close to it. The
# numbers in the output are the rates of the 12 epochs.
#
# | parameter | what it does, and what the change does here |
# | --- | --- |
# | `monitor` | the number that it watches. The training loss always falls, so the rate is never cut |
# | `factor` | what the rate is multiplied by |
# | `patience` | how many epochs without improvement it waits for |
# | `min_delta` | a smaller improvement does not count, so it cuts the rate earlier |
# | `cooldown` | how many epochs after a cut do not count, so the next cut comes later |
# | `min_lr` | the rate never falls below this |
# | `mode` | `max` is wrong for a loss: it cuts the rate while the loss falls |
# | `verbose` | prints a line when it acts |

# %% ko [markdown]
# **ReduceLROnPlateau**는 `patience`에포크 동안 나아지지 않으면 학습률에 `factor`를 곱한다. 최솟값에 다가갈 때 알맞은 걸음은 바로 곁까지 가기에는 너무 크기 때문이다. 출력의 숫자는 12에포크의 학습률이다.
#
# | 매개변수 | 하는 일, 그리고 여기서 바꾼 결과 |
# | --- | --- |
# | `monitor` | 지켜볼 수치. 학습 손실은 계속 내려가므로 학습률이 줄지 않는다 |
# | `factor` | 학습률에 곱하는 수 |
# | `patience` | 나아지지 않아도 기다리는 에포크 수 |
# | `min_delta` | 이보다 적게 나아진 것은 나아진 것으로 치지 않으므로 학습률을 더 일찍 줄인다 |
# | `cooldown` | 줄인 뒤에 세지 않고 넘기는 에포크 수. 그만큼 다음에 늦게 줄인다 |
# | `min_lr` | 학습률은 이 아래로 내려가지 않는다 |
# | `mode` | 손실에 `max`를 쓰면 손실이 내려가는 동안 학습률을 줄인다 |
# | `verbose` | 작동할 때 한 줄을 출력한다 |

# %%
base = {"monitor": "val_loss", "factor": 0.1, "patience": 2, "min_delta": 0, "min_lr": 0}
changes = [
    {},
    {"factor": 0.5},
    {"patience": 3},
    {"min_delta": 0.05},
    {"cooldown": 4},
    {"min_lr": 0.05},
    {"mode": "max"},
    {"monitor": "loss"},
    {"verbose": 1},
]
cut = []
for change in changes:
    rates = play(keras.callbacks.ReduceLROnPlateau(**{**base, **change}))[2]
    cut.append([f"{rate:g}" for rate in rates])
    print(f"{change!s:20} {' '.join(cut[-1])}")

# %% assert
assert cut[0] == ["1"] * 6 + ["0.1"] * 4 + ["0.01"] * 2
assert cut[1] == ["1"] * 6 + ["0.5"] * 4 + ["0.25"] * 2
assert cut[2] == ["1"] * 7 + ["0.1"] * 4 + ["0.01"]
assert set(cut[5]) == {"1", "0.1", "0.05"}
assert cut[7] == ["1"] * 12 and cut[8] == cut[0]
assert cut[4] == ["1"] * 6 + ["0.1"] * 5 + ["0.01"]
assert cut[3] == ["1"] * 5 + ["0.1"] * 2 + ["0.01"] * 3 + ["0.001"] * 2
assert cut[6][:6] == ["1", "1", "1", "0.1", "0.1", "0.01"] and len(cut[6]) == 12

# %% [markdown]
# **ModelCheckpoint** writes files. Below each change are the files that it leaves.
#
# | parameter | what it does, and what the change does here |
# | --- | --- |
# | `filepath` | where it writes; the name can hold the epoch and what is watched |
# | `monitor` | the number that it watches. The training loss improves in every epoch |
# | `save_best_only` | writes only what is better than all before. Without it, every epoch |
# | `initial_value_threshold` | what the first file must be better than |
# | `save_weights_only` | writes the weights without the network and the optimizer |
# | `mode` | `max` is wrong for a loss: nothing is better than the first epoch |
# | `save_freq` | after how many steps (batches) it writes, instead of after each epoch |
# | `verbose` | prints for each epoch whether it writes |

# %% ko [markdown]
# **ModelCheckpoint**는 파일을 저장한다. 바꾼 매개변수 아래에 남은 파일의 이름이 있다.
#
# | 매개변수 | 하는 일, 그리고 여기서 바꾼 결과 |
# | --- | --- |
# | `filepath` | 저장할 곳. 이름에 에포크와 지켜보는 수치를 넣을 수 있다 |
# | `monitor` | 지켜볼 수치. 학습 손실은 모든 에포크에서 나아진다 |
# | `save_best_only` | 이전의 모든 것보다 나을 때에만 저장한다. 쓰지 않으면 에포크마다 저장한다 |
# | `initial_value_threshold` | 첫 번째 파일이 넘어야 하는 값 |
# | `save_weights_only` | 신경망의 구조와 옵티마이저는 빼고 가중치만 저장한다 |
# | `mode` | 손실에 `max`를 쓰면 첫 에포크보다 나은 것이 없다 |
# | `save_freq` | 에포크가 끝날 때마다가 아니라 몇 단계(배치)마다 저장할지 |
# | `verbose` | 에포크마다 저장했는지를 출력한다 |

# %%
base = {"filepath": "{epoch:02d}.keras", "monitor": "val_loss", "save_best_only": True}
changes = [
    {},
    {"save_best_only": False},
    {"initial_value_threshold": 0.65},
    {"save_weights_only": True, "filepath": "{epoch:02d}.weights.h5"},
    {"mode": "max"},
    {"monitor": "loss"},
    {"filepath": "best-{val_loss:.2f}.keras"},
    {"save_freq": 10, "save_best_only": False, "filepath": "{epoch:02d}-{batch}.keras"},
    {"verbose": 1, "initial_value_threshold": 0.65},
]
written = []
for change in changes:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        play(keras.callbacks.ModelCheckpoint(**{**base, **change}))
        written.append(sorted(file.name for file in Path(folder).iterdir()))
    print(change)
    print("   ", ", ".join(written[-1]))

# %% assert
assert written[0] == ["01.keras", "02.keras", "03.keras", "04.keras", "08.keras"]
assert len(written[1]) == 12 and written[2] == ["08.keras"]
assert written[3] == [name.replace(".keras", ".weights.h5") for name in written[0]]
assert written[4] == ["01.keras"]
assert len(written[5]) == 12
assert written[6] == [f"best-{loss}.keras" for loss in ("0.60", "0.69", "0.70", "0.80", "1.00")]
assert len(written[7]) == 24 // 10
assert written[8] == written[2]

# %% [markdown]
# ## A real training
#
# Now all three together on the digits, without dropout on purpose. The training loss keeps falling;
# the validation loss stops falling at some point. From there on the network memorizes the training
# images.

# %% ko [markdown]
# ## 실제 학습
#
# 이제 셋을 함께 써서 숫자를 학습한다. 일부러 드롭아웃은 쓰지 않는다. 학습 손실은 계속 내려가지만 검증 손실은 어느 시점에서 더 내려가지 않는다. 그때부터 신경망은 학습 이미지를 외우기 시작한다.

# %%
keras.utils.set_random_seed(0)
folder = Path(tempfile.mkdtemp())
model = kcnn.models.simple_cnn(spatial_dropout=0, dropout=0)
history = fitted(
    model,
    50,
    [
        keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=3, min_delta=0),
        keras.callbacks.EarlyStopping(patience=7, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(folder / "{epoch:02d}.keras", save_best_only=True),
    ],
)
epochs = np.arange(1, len(history["loss"]) + 1)
loss, val_loss = np.array(history["loss"]), np.array(history["val_loss"])
rates = np.array(history["learning_rate"])
best = int(val_loss.argmin())
saved = [int(file.stem) - 1 for file in sorted(folder.glob("*.keras"))]

figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
axes.semilogy(epochs, loss, "o--", ms=3, color="#0072B2", label="training loss")
axes.semilogy(epochs, val_loss, "s-", ms=3, color="#D55E00", label="validation loss")
axes.plot(epochs[saved], val_loss[saved], "D", ms=8, mfc="none", color="k", label="saved")
for number in np.flatnonzero(np.diff(rates) < 0):
    axes.axvline(epochs[number] + 0.5, color="0.6", linestyle=":")
axes.axvline(epochs[best], color="#009E73", alpha=0.5, linewidth=4, label="best epoch: restored")
axes.set_xlabel("epoch; dotted: the rate is divided by 5")
axes.set_ylabel("loss")
axes.legend(frameon=False, fontsize=8)
plt.show()
now = model.evaluate(data.validation, verbose=0, return_dict=True)
print(f"epoch {best + 1} of {len(epochs)} was the best; the loss of the model is {now['loss']:.4f}")

# %% assert
assert saved == np.flatnonzero(val_loss == np.minimum.accumulate(val_loss)).tolist()
assert np.isclose(now["loss"], val_loss[best], rtol=1e-3)
assert len(val_loss) in (best + 1 + 7, 50)
reloaded = keras.models.load_model(folder / f"{best + 1:02d}.keras")
assert np.allclose(reloaded(images), model(images), atol=1e-4)

# %% [markdown]
# Two warnings. If you misspell the name of the monitored loss, Keras only warns, and then treats no
# epoch, or every epoch, as an improvement. And if the first loss is not a number, Keras takes it
# for the best one. `kcnn.callbacks.standard` returns these callbacks with a guard against both,
# `MonitorGuard`, and with two that log the rate and write the numbers of each epoch to a file.

# %% ko [markdown]
# 조심할 것이 두 가지 있다. 지켜볼 손실의 이름을 잘못 쓰면 Keras는 경고만 하고, 어느 에포크도 나아지지 않았거나 모든 에포크가 나아졌다고 여긴다. 또 첫 손실이 숫자가 아니면(NaN) Keras는 그것을 가장 좋은 값으로 삼는다. `kcnn.callbacks.standard`는 이 콜백들과 함께, 두 경우를 모두 막아 주는 `MonitorGuard`, 그리고 학습률을 기록하는 콜백과 에포크마다 수치를 파일에 적는 콜백을 돌려준다.

# %%
for callback in kcnn.callbacks.standard(folder / "run"):
    print(type(callback).__name__)

# %% [markdown]
# ## Killed, and resumed
#
# A notebook's kernel dies, a battery runs out. `kcnn.train(resume=FOLDER)` keeps the whole state
# after every epoch: weights, optimizer, order of the images, draws of dropout, memory of the
# callbacks. Here a second process starts a training of 12 epochs and is killed in the middle. The
# same call then goes on here, and ends with the very weights of a training that nobody stopped.

# %% ko [markdown]
# ## 강제 종료와 재개
#
# 노트북의 커널이 죽거나 배터리가 다 될 수 있다. `kcnn.train(resume=FOLDER)`는 에포크마다 전체 상태를 보관한다. 가중치, 옵티마이저, 이미지의 순서, 드롭아웃의 난수, 콜백의 기억까지 모두 포함한다. 아래에서는 다른 프로세스가 12에포크짜리 학습을 시작하고 도중에 강제로 종료된다. 그런 다음 여기서 같은 호출이 학습을 이어서 하고, 멈추지 않은 학습과 똑같은 가중치로 끝난다.

# %%
TRAINING = """
import kcnn
import keras
import tensorflow as tf

tf.config.experimental.enable_op_determinism()
keras.utils.set_random_seed(1)
data = kcnn.data.load("digits", limit=400, validation=0.25, batch_size=50, augment="none")
model = kcnn.models.simple_cnn()
result = kcnn.train(model, data, epochs=12, callbacks=[], resume=FOLDER)
"""


def trained(folder):
    names = {"FOLDER": folder}
    exec(TRAINING, names)
    return names["model"].get_weights(), names["result"].history["loss"]


whole, whole_losses = trained(Path(tempfile.mkdtemp()))
folder = Path(tempfile.mkdtemp())
process = subprocess.Popen(
    [sys.executable, "-c", f"FOLDER = {str(folder)!r}\n{TRAINING}"],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
while process.poll() is None and not (folder / "previous.state").exists():
    time.sleep(0.01)  # until the states of two epochs are there
process.kill()
killed = process.wait() != 0 and (folder / "previous.state").exists()
print("killed:", killed)
resumed, resumed_losses = trained(folder)
print("losses:     ", [round(value, 3) for value in whole_losses])
print("with a kill:", [round(value, 3) for value in resumed_losses])
differences = [np.abs(a - b).max() for a, b in zip(whole, resumed, strict=True)]
print("largest difference of a weight:", max(differences))

# %% assert
assert len(whole_losses) == len(resumed_losses) == 12
assert killed and max(differences) == 0

# %% [markdown]
# ## The test set, scored once
#
# An accuracy that is measured on few images is uncertain. With $n$ images and the accuracy $p$, its
# standard error is $\sqrt{p(1 - p)/n}$. The interval of twice that on both sides contains the true
# value about nineteen times out of twenty. Do not call a network better because of a smaller
# difference. Look at the mistakes: would you have known?

# %% ko [markdown]
# ## 한 번만 채점하는 테스트 세트
#
# 적은 이미지로 잰 정확도는 불확실하다. 이미지가 $n$장이고 정확도가 $p$이면 표준 오차는 $\sqrt{p(1 - p)/n}$이다. 양쪽으로 그 두 배만큼 잡은 구간은 스무 번에 열아홉 번꼴로 참값을 포함한다. 그보다 작은 차이를 두고 어느 신경망이 더 낫다고 말해서는 안 된다. 틀린 이미지를 보라. 당신이라면 맞혔겠는가?

# %%
scored = kcnn.evaluate(model, data.test, expected_count=data.num_test)
error = np.sqrt(scored.accuracy * (1 - scored.accuracy) / scored.count)
print(f"{scored.accuracy:.1%} ± {2 * error:.1%} of {scored.count} test images")

test_images = np.concatenate([batch for batch, _ in data.test.as_numpy_iterator()])
predicted = scored.logits.argmax(axis=1)
wrong = np.flatnonzero(predicted != scored.labels)[:8]
figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
for cell in axes:
    cell.axis("off")
for cell, index in zip(axes, wrong, strict=False):
    cell.imshow(test_images[index])
    truth, answer = data.class_names[scored.labels[index]], data.class_names[predicted[index]]
    cell.set_title(f"{truth}, predicted {answer}", fontsize=7)
plt.show()

# %% assert
assert scored.accuracy > 0.85

# %% [markdown]
# ## Exercises
#
# **Exercise 1.** With `patience=2` and all else as in the first line of the output: after which
# epoch does EarlyStopping stop on `VAL_LOSS`?

# %% ko [markdown]
# ## 연습 문제
#
# **문제 1.** `patience=2`이고 나머지는 출력의 첫 줄과 같을 때, `VAL_LOSS`에서 EarlyStopping은 몇 번째 에포크 뒤에 멈추는가?

# %% exercise
epoch = ...
check("early stopping", epoch)

# %% solution
epoch = play(keras.callbacks.EarlyStopping("val_loss", patience=2))[0]
check("early stopping", epoch)

# %% [markdown]
# **Exercise 2.** The training accuracy is 99 %, the validation accuracy 71 %. Is that
# "underfitting" or "overfitting"?

# %% ko [markdown]
# **문제 2.** 학습 정확도가 99 %, 검증 정확도가 71 %이다. 과소적합("underfitting")인가, 과적합("overfitting")인가?

# %% exercise
word = ...
check("overfitting", word)

# %% solution
word = "overfitting"
check("overfitting", word)

# %% [markdown]
# **Exercise 3.** Write a function of the accuracy $p$ and the number of images $n$ that returns the
# standard error.

# %% ko [markdown]
# **문제 3.** 정확도 $p$와 이미지 수 $n$으로 표준 오차를 구하는 함수를 작성하라.


# %% exercise
def standard_error(p, n):
    return ...


check("standard error", standard_error)


# %% solution
def standard_error(p, n):
    return np.sqrt(p * (1 - p) / n)


check("standard error", standard_error)
