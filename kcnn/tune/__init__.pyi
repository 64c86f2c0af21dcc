from .goal import Goal as Goal
from .on_ray import ray_objective as ray_objective
from .on_ray import ray_training as ray_training
from .study_search import search as search
from .trial_run import TrialResult as TrialResult
from .trial_run import run_trial as run_trial
