"""Triton, in which the kernels are written, or a stand-in where it is not installed.

Triton ships for Linux only. With the stand-in kernels are defined and can be read, not run.
"""

from types import SimpleNamespace

try:
    import triton
    import triton.language as tl
except ImportError:

    def kept(function):
        """Return what holds a kernel's function, as Triton's decorator does."""
        return SimpleNamespace(fn=function)

    triton = SimpleNamespace(
        jit=kept, knobs=SimpleNamespace(runtime=SimpleNamespace(interpret=False))
    )
    tl = SimpleNamespace(constexpr=kept, max=kept(None), sum=kept(None))
    HAS_TRITON = False
else:
    HAS_TRITON = True
