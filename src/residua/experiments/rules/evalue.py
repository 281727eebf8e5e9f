"""The one-sided paired t-test as an E-value: evidence that a mean lies above a bound, valid at any number of seeds.

Under every normal distribution whose mean is at most the bound, whatever its spread, the E-value has an expectation of
at most what it was, seed after seed. So the chance that it *ever* reaches 40 is at most 1/40 (Ville), however often one
looks and for whatever reason one stops. It is a likelihood ratio of the t statistic: a half-Cauchy of scale 1 on the
effect (mean / spread) against an effect of zero, with the right-Haar prior on the spread (Lai 1976; Rouder et al. 2009;
Wang & Ramdas 2023; Pérez-Ortiz et al. 2024). A mean below the bound only makes it smaller: this ratio rises with t,
that of such a mean to zero falls with it. For n differences x from the bound, with r = sum x / sqrt(sum x^2),

    E = 1 / (2^(n/2-1) Gamma(n/2)) * int pi(d) exp(-n d^2/2) int w^(n-1) exp(-w^2/2 + w d r) dw dd.

A Cauchy is a mixture of normals over their variance g; given g both integrals are known, and one over log g is left.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from residua.experiments.rules.sample import Sample

if TYPE_CHECKING:
    import numpy as np

DECIDES = 40.0  # an E-value that decides: a chance of 1/40 in each direction, 5 % over both
CERTAIN = 1e12  # what is beyond any doubt; no E-value is larger
FEWEST = 3  # seeds that decide anything: with two, the spread is known by nothing but their difference
_SCALE = 1.0  # of the half-Cauchy
_STEP = 0.1  # in log g; the trapezoidal rule is exact to rounding here
_CANCELS = 1e-6  # a tail probability below which one minus the finite sum has lost too many digits


def e_above(sample: Sample, bound: float, *, least_sd: float = 0.0) -> float:
    """The E-value of "the mean is above ``bound``" against "it is not"; 1 before there are ``FEWEST`` values.

    ``least_sd`` is the spread that counting alone gives a difference of shares: seeds that happen to agree to the last
    image are no proof of a spread of zero.
    """
    if sample.sd is None or sample.n < FEWEST:
        return 1.0
    distance = sample.mean - bound
    sd = max(sample.sd, least_sd) if distance > 0 else sample.sd  # never in favour of the statement
    if sd == 0:
        return CERTAIN if distance > 0 else 0.0
    return e_value(sample.n, math.sqrt(sample.n) * distance / sd)


def e_below(sample: Sample, bound: float, *, least_sd: float = 0.0) -> float:
    """The E-value of "the mean is below ``bound``"."""
    return e_above(Sample(n=sample.n, mean=-sample.mean, sd=sample.sd), -bound, least_sd=least_sd)


@lru_cache(maxsize=65_536)
def e_value(n: int, t: float) -> float:
    """The E-value of n differences (2 or more) with the t statistic ``t``; at most ``CERTAIN``."""
    if n < 2:
        raise ValueError(f"a t statistic is of two differences or more, not {n}")
    rest = (n - 1) / (n - 1 + t * t)  # 1 - r^2/n, without cancellation
    if rest < 1e-280:
        return CERTAIN if t > 0 else 0.0
    import numpy as np  # only here: whoever reads results computes no E-value, and waits for nothing

    log_g = np.arange(
        -7.5, 40.0 - math.log(n * rest), _STEP
    )  # beyond both ends nothing is left of the integrand
    g = np.exp(log_g)
    explained = (1 - rest) * n * g / (1 + n * g)  # of the sum of squares, by an effect of variance g
    x = rest + (1 - rest) / (1 + n * g)  # what it leaves, without cancellation
    prior = _SCALE * np.exp(-0.5 * log_g - _SCALE**2 / (2 * g)) / math.sqrt(2 * math.pi)  # of log g
    weight = _STEP * prior / np.sqrt(1 + n * g)
    with np.errstate(over="ignore"):
        away = _tail(x, explained, n)
        ratio = 2 * x ** (-n / 2) - away if t > 0 else away
        return float(min((weight * ratio).sum(), CERTAIN))


@lru_cache(maxsize=1024)
def deciding_t(n: int) -> float:
    """The t statistic from which on n differences (``FEWEST`` or more) decide."""
    low, high = 0.0, 64.0  # of three seeds it is 22.5
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if e_value(n, middle) >= DECIDES else (middle, high)
    return high


def _tail(x: np.ndarray, z: np.ndarray, n: int) -> np.ndarray:
    """``x^(-n/2) I_x(n/2, 1/2)`` where ``z = 1 - x``: twice Student's tail at ``t^2 = n z / x``, times ``x^(-n/2)``.

    As one minus a finite sum (Abramowitz & Stegun, 26.7.3 and 26.7.4), or, where that would cancel, as the series of
    the incomplete beta function (26.5.4), of which every term is positive.
    """
    import numpy as np

    sine, odd, a = np.sqrt(z), n % 2, n / 2
    term = np.sqrt(x) if odd else np.ones_like(x)
    inside = term.copy()
    for k in range(3 if odd else 2, n - 1, 2):
        term = term * x * (k - 1) / k
        inside += term
    inside = (np.arctan2(sine, np.sqrt(x)) + sine * inside) * 2 / math.pi if odd else sine * inside
    tail = 1 - inside
    small = tail < _CANCELS
    found = np.empty_like(x)
    found[~small] = tail[~small] * x[~small] ** -a
    y, k = x[small], 0
    term = sine[small] * math.exp(math.lgamma(a + 0.5) - math.lgamma(a + 1) - math.lgamma(0.5))
    series = term.copy()
    while (term > 1e-12 * series).any():
        term = term * y * (a + 0.5 + k) / (a + 1 + k)
        series += term
        k += 1
    found[small] = series
    return found
