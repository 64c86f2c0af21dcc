"""The child process: the only code that uses `tf_keras` and TF-MOT.

`python -m kcnn.compress.bridge FOLDER...` does the job of each folder, see `__main__.py`. The
parent's side is `kcnn.compress.child`.

The functions import Keras 2 and TF-MOT themselves, so that a process that only imports these files
(a documentation tool, a test collector) is not switched to Keras 2.
"""
