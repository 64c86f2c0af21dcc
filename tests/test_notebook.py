"""What a Keras notebook does: its own compile and fit, and stock callbacks."""

import re
from pathlib import Path

import keras
from PIL import Image

import kcnn


def test_a_users_own_compile_and_fit(tmp_path):
    keras.utils.set_random_seed(0)
    data = kcnn.data.load("digits", batch_size=64, augment="shift")
    model = kcnn.models.simple_cnn()
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        data.train,
        validation_data=data.validation,
        epochs=8,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau(patience=2),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}.keras", save_best_only=True),
            *kcnn.callbacks.standard(tmp_path / "run"),
        ],
    )
    assert len(history.history["loss"]) == 8
    loss, accuracy = model.evaluate(data.test, verbose=0)
    assert accuracy > 0.8
    reloaded = keras.models.load_model(max(tmp_path.glob("*.keras")))
    assert reloaded.evaluate(data.validation, verbose=0)[1] > 0.6
    assert (tmp_path / "run" / "history.csv").is_file()


SMALL = 'load("digits", limit=300, batch_size=30)'


def block(page, **shorter):
    """Return a page's block of a notebook, word for word but for what makes it quick."""
    text = (Path(__file__).parent.parent / page).read_text()
    (found,) = [
        each for each in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "data.load" in each
    ]
    for long, short in (*shorter.items(), ("epochs=10", "epochs=1")):
        assert long in found
        found = found.replace(long, short)
    return found


def test_the_readmes_own_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(block("README.md", **{'load("digits")': SMALL}), {})
    for name in ("thin.tflite", "where.png"):
        assert (tmp_path / name).stat().st_size > 0


def test_the_pages_own_notebook(tmp_path, monkeypatch):
    shorter = {'load("cifar10")': SMALL, "models.resnet20()": "models.lenet5(variant='modern')"}
    code = block("docs/start_notebook.md", **shorter)
    for photograph in ("cat.jpg", "photographs/dog.jpg"):
        (tmp_path / photograph).parent.mkdir(exist_ok=True)
        Image.new("RGB", (48, 40), "gray").save(tmp_path / photograph)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    assert names["thin"].count_params() == 62_006
    for name in ("thin.tflite", "where.png", "my_run/history.csv"):
        assert (tmp_path / name).stat().st_size > 0
