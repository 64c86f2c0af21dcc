"""The child process: the only code that knows `tf_keras` and TF-MOT.

`python -m kcnn.compress.bridge FOLDER...` does the job of each folder, see `__main__.py`; the other
end is `kcnn.compress.child`.

Keras 2 and TF-MOT are imported inside the functions: whoever imports these files (a documentation
tool, a test collector) must not be switched to Keras 2.
"""
