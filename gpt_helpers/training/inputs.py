"""What training accepts: a model, settings, a loss and data that fit together, checked first."""

from pathlib import Path

import torch

from gpt_helpers.architecture.losses import Loss, check_sum
from gpt_helpers.architecture.modules import check_model
from gpt_helpers.evaluation.losses import check_windows
from gpt_helpers.tensor_checks import check_tensor, check_values
from gpt_helpers.training.settings import TrainingSettings
from gpt_helpers.validation import check_callable, check_flag, check_instance

TRAINED = torch.float32, torch.float64


def check_training(model, settings, loss_of):
    """Raise ValueError unless the weights of a model can be trained, by settings, on a loss.

    In 16 bits most steps would be rounded away: a weight of 1 does not change by 0.001.
    """
    check_model(model)
    check_values("model", model)
    check_instance("settings", settings, TrainingSettings)
    check_instance("loss_of", loss_of, Loss)
    dtypes = {weight.dtype for weight in model.parameters() if weight.requires_grad}
    if not dtypes:
        raise ValueError("model has no weights to train; set requires_grad where it should learn")
    if any(weight.is_inference() for weight in model.parameters()):
        raise ValueError(
            "model was made under torch.inference_mode, so it cannot be trained; make it outside"
        )
    if not dtypes <= set(TRAINED):
        found = ", ".join(sorted(map(str, dtypes)))
        raise ValueError(
            f"model has weights of {found} to train; convert it with .float(), and choose 16 bits"
            " for its products by settings.precision"
        )


def check_total(total):
    """Return total, that of a Loss for one pass; raise ValueError unless it can be lowered."""
    if not check_sum("total(model, ids)", total).requires_grad:
        raise ValueError(
            "total(model, ids) of the loss does not depend on the weights that are trained; compute"
            " it from the model's output, without .detach() or torch.no_grad()"
        )
    return total


def check_arguments(model, batches, settings, loss_of, held_out, folder, after_step, progress):
    """Raise ValueError unless a run can begin with the arguments of loop.train."""
    check_training(model, settings, loss_of)
    check_batches(batches, settings.total_steps)
    if held_out is not None:
        check_windows("held_out", held_out, model)
    if not isinstance(folder, str | Path | None) or Path(folder or ".").is_file():
        raise ValueError(f"folder={folder!r} must be the path of a folder, or None")
    if after_step is not None:
        check_callable("after_step", after_step)
    check_flag("progress", progress)


def check_batches(batches, n_steps):
    """Raise ValueError unless batches[0] is a batch, and there are as many as n_steps, or no end.

    What has no length, such as text.batches.Batches, goes on for ever.
    """
    try:
        first = batches[0]
    except (TypeError, LookupError) as error:
        raise ValueError(
            f"batches is a {type(batches).__name__} without a batch at [0] ({error}); make it a"
            " list of tensors of token ids (B, T), or Batches"
        ) from error
    check_batch("batches[0]", first)
    if hasattr(batches, "__len__") and len(batches) < n_steps:
        raise ValueError(
            f"batches holds {len(batches)} batches for total_steps={n_steps}; give more of them"
        )


def check_batch(name, batch):
    """Raise ValueError unless batch is a tensor of token ids, (B, T) or (N, 2, T) for pairs."""
    check_tensor(name, batch, "(..., B, T)", integers=True, empty=False)
