"""Makes the coefficients in src/kernels/fused/activation.rs.

    exp(r)  ~ 1 + r + r^2 q(r)        |r| <= ln 2 / 2, q of degree 4
    tanh(x) ~ x P(x^2) / Q(x^2)       |x| <= 9.02, P and Q of degree 4 that begin with 1

Least squares, whose weights grow where the relative error is large until it is nearly the same
everywhere (Lawson). One coefficient after the other is rounded to f32, and the rest fitted again, so
that it makes up for the rounding. Needs only numpy:

    python scripts/fit_activations.py
"""

import numpy as np

POINTS, ROUNDS = 1500, 150
TANH_BOUND = 9.02


def fit(system, count: int) -> np.ndarray:
    """Coefficients of f32; `system(c)` gives A and b, where A c + b are the errors of c."""
    coefficients, free = np.zeros(count), np.ones(count, bool)
    for rounded in range(count):
        best, coefficients = lawson(system, coefficients, free)
        print(f"  {rounded} of {count} coefficients rounded: relative error {best:.2e}")
        free[rounded], coefficients[rounded] = False, np.float32(coefficients[rounded])
    a, b = system(coefficients)
    print(f"  all rounded: relative error {np.abs(a @ coefficients + b).max():.2e}")
    return coefficients


def lawson(system, start: np.ndarray, free: np.ndarray) -> tuple[float, np.ndarray]:
    """The least of the largest errors that was found, and its coefficients."""
    coefficients, weights, best = start.copy(), np.ones(POINTS), (np.inf, start)
    for _ in range(ROUNDS):
        a, b = system(coefficients)
        target = -(b + a[:, ~free] @ coefficients[~free])
        a, root = a[:, free], np.sqrt(weights)
        scale = np.abs(a * root[:, None]).max(axis=0)
        solved = np.linalg.lstsq(a * root[:, None] / scale, target * root, rcond=1e-17)[0]
        coefficients[free] = solved / scale
        a, b = system(coefficients)
        errors = np.abs(a @ coefficients + b)
        if errors.max() < best[0]:
            best = errors.max(), coefficients.copy()
        weights *= errors + 1e-3 * errors.max()
        weights /= weights.mean()
    return best


def exp_system():
    """Relative errors of 1 + r + r^2 q(r)."""
    r = np.cos(np.linspace(0, np.pi, POINTS)) * np.log(2) / 2 * 1.0005
    a = np.stack([r ** (2 + k) for k in range(5)], axis=1) / np.exp(r)[:, None]
    # With more digits: e^r less its beginning is small.
    long = r.astype(np.longdouble)
    b = ((1 + long) / np.exp(long) - 1).astype(float)
    return lambda _: (a, b)


def tanh_system():
    """Relative errors of x P / Q; linear in P and Q but for the division by Q."""
    x = (1 - np.cos(np.linspace(1e-3, np.pi, POINTS))) / 2 * TANH_BOUND
    powers = np.stack([x ** (2 * k) for k in range(1, 5)], axis=1)
    ratio = np.tanh(x) / x
    columns = np.hstack([powers, -ratio[:, None] * powers])

    def system(coefficients):
        below = ratio * (1 + powers @ coefficients[4:])
        return columns / below[:, None], (1 - ratio) / below

    return system


def show(name: str, coefficients: np.ndarray) -> None:
    values = ", ".join(str(np.float32(value)) for value in coefficients)
    print(f"const {name}: [f32; {len(coefficients)}] = [{values}];")


if __name__ == "__main__":
    q = fit(exp_system(), 5)
    p = fit(tanh_system(), 8)
    show("EXP", q)
    show("TANH_ABOVE", p[:4])
    show("TANH_BELOW", p[4:])
