from .goal import Goal as Goal
from .study_search import search as search
from .trial_run import TrialResult as TrialResult
from .trial_run import run_trial as run_trial
