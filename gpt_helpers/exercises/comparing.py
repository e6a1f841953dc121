"""Whether what a reader's function returns is right, and the first place where it is wrong."""

from numbers import Integral, Real

import numpy as np
import torch

from gpt_helpers.validation import is_bool, is_finite, shown

TOLERANCE = 1e-5  # relative; of what is 0, and of tensors, absolute
SPARSE = torch.sparse_coo, torch.sparse_csr, torch.sparse_csc


class Mistake(Exception):  # noqa: N818 - it is the reader's, and no error of the program
    """What is wrong with an answer: a reason of words.csv, what it tells, and the place.

    place is a list of (axis, index), axis being a name of words.csv.
    """

    def __init__(self, reason, place=(), **facts):
        """Note what is wrong, and where, in words: a reader's object need not have any later."""
        super().__init__(reason)
        self.reason, self.place = reason, place
        self.facts = {name: str(fact) for name, fact in facts.items()}


def compare(found, expected, axes, place=()):
    """Raise Mistake, with the first place, unless what is found is what is expected."""
    if isinstance(expected, torch.Tensor):
        compare_tensors(found, expected, axes, place)
    elif isinstance(expected, list | tuple):
        parts = results_in(found, len(expected))
        for n, (part, one) in enumerate(zip(parts, expected, strict=True)):
            compare(part, one, axes[1:], [*place, (axes[0], n)])
    elif isinstance(expected, bool):
        compare_truths(found, expected, place)
    else:
        compare_numbers(found, expected, place)


def results_in(found, n_parts):
    """Return the parts of a result of n_parts; raise Mistake unless it has them."""
    is_sequence = isinstance(found, list | tuple | np.ndarray | torch.Tensor)
    if not is_sequence or getattr(found, "shape", None) == ():
        raise Mistake("not a list", found=kind_of(found))
    if len(found) != n_parts:
        raise Mistake("number of results", found=len(found), wanted=n_parts)
    return found


def compare_truths(found, expected, place):
    """Raise Mistake unless found, of Python, NumPy or torch, is the truth value expected."""
    plain = plain_number(found)
    if not is_bool(plain) and not (isinstance(plain, Integral) and plain in (0, 1)):
        raise Mistake("not a truth value", place, found=kind_of(found))
    if bool(plain) != expected:
        raise Mistake("wrong", place, found=bool(plain))


def compare_numbers(found, expected, place):
    """Raise Mistake unless found is the number expected, a float within TOLERANCE."""
    plain = plain_number(found)
    if not isinstance(plain, Real) or is_bool(plain):
        raise Mistake("not a number", place, found=kind_of(found))
    if not is_finite(plain):
        raise Mistake("wrong", place, found=shown(plain))
    is_count = isinstance(expected, int)
    allowed = 0 if is_count else TOLERANCE * abs(expected) or TOLERANCE
    if abs(plain - expected) > allowed:
        reason = "too large" if plain > expected else "too small"
        raise Mistake(reason, place, found=plain if is_count else f"{plain:.6g}")


def plain_number(found):
    """Return a number of NumPy or torch as one of Python; anything else as it is."""
    return found.item() if getattr(found, "shape", None) == () else found


def compare_tensors(found, expected, axes, place):
    """Raise Mistake unless found, of torch or NumPy, is the tensor expected, within TOLERANCE."""
    found = tensor_of(found)
    if not isinstance(found, torch.Tensor) or found.is_meta:
        raise Mistake("not a tensor", place, found=kind_of(found))
    if found.shape != expected.shape:
        shapes = {"found": tuple(found.shape), "wanted": tuple(expected.shape)}
        raise Mistake("shape", place, **shapes)
    kinds = [(x.dtype == torch.bool, x.is_floating_point()) for x in (found, expected)]
    if kinds[0] != kinds[1]:
        raise Mistake("dtype", place, found=found.dtype, wanted=expected.dtype)
    found = found.detach().cpu()
    wrong = ~torch.isclose(found.double(), expected.double(), rtol=TOLERANCE, atol=TOLERANCE)
    if wrong.any():
        first = wrong.nonzero()[0].tolist()
        value = found[tuple(first)].item()
        at = zip(axes[len(axes) - len(first) :], first, strict=True)
        shown = value if is_bool(value) else f"{value:.4g}"
        raise Mistake("wrong", [*place, *at], found=shown)


def tensor_of(found):
    """Return an array of NumPy, or a sparse tensor, as a dense tensor; anything else as it is."""
    if isinstance(found, np.ndarray) and found.dtype.kind in "biuf":
        native = found.dtype.newbyteorder("=")
        return torch.from_numpy(np.array(found, native, order="C"))
    is_sparse = isinstance(found, torch.Tensor) and found.layout in SPARSE
    return found.to_dense() if is_sparse else found


def kind_of(found):
    """Return the class of a result, with its shape if it has one: "int", "Tensor (2, 3)"."""
    shape, kind = getattr(found, "shape", None), type(found).__name__
    kind = f"meta {kind}" if isinstance(found, torch.Tensor) and found.is_meta else kind
    return kind + (f" {tuple(shape)}" if isinstance(shape, tuple) else "")
