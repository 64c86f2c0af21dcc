"""TensorFlow's SavedModels, which are folders and no models of Keras."""

from pathlib import Path


def check_no_saved_model(folder: Path) -> None:
    """Raise a ValueError if a folder is one of TensorFlow's SavedModels; it says what to do."""
    if (folder / "saved_model.pb").is_file():
        raise ValueError(
            f"{str(folder)!r} is a SavedModel, which holds a graph of TensorFlow and no layers of "
            "Keras. Where the model was built, save it with model.save('model.keras')."
        )
