"""How fast a training step is, beside Hugging Face and the machine's peak; which recipe is faster.

    python -m benchmarks.training step [--csv FILE]
    python -m benchmarks.training gpu --peak-tflops 989 [--batch-size 16]
    python -m benchmarks.training recipes [--csv FILE]

step trains our model and GPT2LMHeadModel, used in several ways, from equal weights by the same
optimiser on the same random tokens: one step of each in turn, then products of square matrices.
The losses must agree before anything is timed. times_hugging_face compares with the fastest
way. share_of_peak divides the FLOPs of a step, three times those of its forward pass, by those
that the fastest product would do in its time; of the scores it counts the half that the mask
leaves visible, as a kernel may skip the rest (share_of_peak_whole_square counts all).

gpu does the same for GPT-2 (124M) on a GPU, in bfloat16, with the peak that its maker states,
and writes a table named like the device. It needs tests/requirements.txt.

recipes measures after how many tokens and seconds of training the modern recipe first has the
held-out loss at which GPT-2's ends. Both train in turn, so that they end together; evaluation
is not timed. Each seed appends a row to the file, and the command goes on where it stopped.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.race import run_recipes
from benchmarks.steps import PEERS, SHAPES, TOLERANCES, run_steps
from benchmarks.timing import machine
from gpt_helpers.commands import command, new_file, positive
from gpt_helpers.tensor_checks import check_device
from gpt_helpers.training.recipes import RECIPES


def add_steps(commands, name, purpose, **defaults):
    """Add a command that compares training steps, with defaults of its own."""
    line = commands.add_parser(name, help=purpose)
    line.add_argument("--csv", type=new_file, help="where to write the table")
    line.add_argument("--shapes", nargs="+", choices=SHAPES)
    line.add_argument("--batch-size", type=positive, default=16)
    line.add_argument("--rounds", type=positive)
    line.add_argument("--threads", type=positive, nargs="+", help="of the CPU")
    line.add_argument("--device")
    line.add_argument("--precision", choices=TOLERANCES)
    line.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    line.add_argument("--peak-tflops", type=float, help="of the device, if not to be measured")
    line.add_argument(
        "--squares", type=positive, nargs="+", help="sides of the matrices to multiply"
    )
    line.set_defaults(run=run_steps, **defaults)


def add_recipes(commands):
    """Add the command that races two recipes."""
    line = commands.add_parser("recipes", help="tokens and seconds to an equal loss")
    line.add_argument("--csv", type=new_file, help="the table to append to")
    line.add_argument("--recipe", choices=RECIPES, default="live-modern")
    line.add_argument("--peer", choices=RECIPES, default="live")
    line.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    line.add_argument("--every", type=positive, default=10, help="steps between evaluations")
    line.add_argument("--windows", type=positive, default=128, help="held-out windows to score")
    line.add_argument("--threads", type=positive, default=machine()["cpus"])
    line.add_argument("--corpus", type=Path, help="a folder of .py files; the standard library")
    line.add_argument("--steps", type=positive, nargs=2, help="of the recipe and of its peer")
    line.add_argument("--shape", choices=SHAPES, help="of both models, if not the recipes' own")
    line.set_defaults(run=run_recipes)


@command("not measured")
def main():
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    add_steps(
        commands, "step", "a training step on the CPU",
        shapes=["live", "3M"], rounds=25, threads=[1, 2], device="cpu", precision="float32",
    )  # fmt: skip
    add_steps(
        commands, "gpu", "GPT-2 (124M) on a GPU",
        shapes=["gpt2"], rounds=20, threads=[machine()["cpus"]], device="cuda",
        precision="bfloat16", peers=["as loaded", "sdpa", "sdpa, fused GELU"],
    )  # fmt: skip
    add_recipes(commands)
    options = parser.parse_args()
    check_device("device", getattr(options, "device", "cpu"))
    options.run(options)


if __name__ == "__main__":
    sys.exit(main())
