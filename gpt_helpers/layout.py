"""How weights lie in memory: what a product with one token reads fastest."""

import torch


@torch.no_grad()
def store_by_columns(model):
    """Store each matrix (out, in) with out > in column by column, in place, and return model.

    No value changes, no name and no shape, only strides. To multiply one token, the processor
    then adds up long columns, in place of many short products of rows; for matrices that are
    not wider at their output, rows are as good. benchmarks/generation.py measures it. For
    models that generate: looking up embeddings in a training step becomes slower.

    Raises ValueError unless model is a module.
    """
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"model is a {type(model).__name__}; it must be an nn.Module")
    for parameter in model.parameters():
        if parameter.ndim == 2 and parameter.shape[0] > parameter.shape[1]:
            parameter.data = parameter.data.T.contiguous().T
    return model
