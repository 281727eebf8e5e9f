"""How fast a machine of some class trains, roughly: for choices, which must come out alike each time they are made."""

from __future__ import annotations

from residua.machine import instruction_set, machine, usable_cores

# Multiply-adds of forward and backward passes in a second, for each core: small ResNets, as trained here on two cores.
_CORE = {
    "amx": 9e10,
    "avx512_bf16": 9e10,
    "avx512": 5e10,
    "avx2": 2e10,
    "neon_bf16": 2e10,
    "sve2": 2e10,
    "neon": 1.5e10,
}
_ANY_CORE = 5e9
_GPU = 1e13
_STEP_SECONDS = {"cpu": 0.01, "cuda": 0.005}  # of a step, however small the network
BACKWARD = 2  # forward passes that a backward one costs


def seconds_of_steps(steps: float, forward: float, *, device: str, threads: int | None = None) -> float:
    """Seconds that ``steps`` training steps take, whose forward passes are ``forward`` multiply-adds each."""
    on_cpu = device == "cpu"
    core = _CORE.get(instruction_set(machine().instructions), _ANY_CORE)
    speed = core * (threads or usable_cores()) if on_cpu else _GPU
    return steps * (_STEP_SECONDS["cpu" if on_cpu else "cuda"] + (1 + BACKWARD) * forward / speed)
