"""One training loop and what surrounds it: settings, checkpoints, several processes, tuning.

Begin with loop, then settings, optimizers and checkpoint. runs joins a model, settings and batches
to a Run, and recipes names some. A step depends on its number only, so a run that was stopped goes
on as if it had not been; python -m gpt_helpers.training runs one.
"""
