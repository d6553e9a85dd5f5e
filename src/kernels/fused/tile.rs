//! The innermost product: a few rows of sums that stay in registers.

use super::vector::Vector;

/// Values of a group of units, the unit in which everything is laid out.
pub(super) const GROUP: usize = 16;
/// Values of a panel: four groups, which are the four gates of the same sixteen units where a panel
/// holds gates.
pub(super) const PANEL: usize = 4 * GROUP;

/// Whether this many values hold an array of these dimensions, however large those are.
#[inline(always)]
pub(super) fn holds<const N: usize>(values: &[f32], dims: [usize; N]) -> bool {
    let mut size = 1usize;
    for dim in dims {
        match size.checked_mul(dim) {
            Some(larger) => size = larger,
            None => return false,
        }
    }
    size <= values.len()
}

/// `sums[m][n] += sum over k of a(m, k) * b(k, n)`, one ascending chain of fused operations for each
/// sum. `a(m, k)` is at `a[m] + k * a_step`, and vector n of `b(k)` at `b + k * b_step + n * GROUP`.
///
/// # Safety
///
/// V's instructions, and `terms` values in reach of each pointer as described.
#[inline(always)]
pub(super) unsafe fn multiply<V: Vector, const M: usize, const N: usize>(
    sums: &mut [[V; N]; M],
    (a, a_step): ([*const f32; M], usize),
    (b, b_step): (*const f32, usize),
    terms: usize,
) {
    // Pointers wrap, and there are no closures: checks of overflow, and functions without V's
    // instructions, would stand in the loop that matters most.
    let (mut at_a, mut at_b) = (0usize, b);
    for _ in 0..terms {
        // SAFETY: the caller's promise.
        unsafe {
            // Whichever are fewer, factors or columns, are kept in registers; the others are loaded in turn.
            if M < N {
                let mut factors = [V::splat(0.0); M];
                for m in 0..M {
                    factors[m] = V::splat(*a[m].wrapping_add(at_a));
                }
                for n in 0..N {
                    let column = V::load(at_b.wrapping_add(n * GROUP));
                    for m in 0..M {
                        sums[m][n] = factors[m].fma(column, sums[m][n]);
                    }
                }
            } else {
                let mut columns = [V::splat(0.0); N];
                for n in 0..N {
                    columns[n] = V::load(at_b.wrapping_add(n * GROUP));
                }
                for m in 0..M {
                    let factor = V::splat(*a[m].wrapping_add(at_a));
                    for n in 0..N {
                        sums[m][n] = factor.fma(columns[n], sums[m][n]);
                    }
                }
            }
        }
        (at_a, at_b) = (at_a.wrapping_add(a_step), at_b.wrapping_add(b_step));
    }
}

/// Sums of 0.
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn zeros<V: Vector, const M: usize, const N: usize>() -> [[V; N]; M] {
    // SAFETY: the caller's promise.
    [[unsafe { V::splat(0.0) }; N]; M]
}

/// Cuts rows into blocks of nearly equal size, at most `most` rows each: first row and count.
#[inline(always)]
pub(super) fn blocks(rows: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(most).max(1);
    let (size, larger) = (rows / count, rows % count);
    (0..count)
        .map(move |index| (index * size + index.min(larger), size + usize::from(index < larger)))
        .filter(|(_, rows)| *rows > 0)
}

/// Calls `$block::<V, M, ..>(..)` with M = `$rows`, 1 to 6.
macro_rules! with_rows {
    ($rows:expr, $block:ident::<$vector:ident $(, $more:tt)*>($($argument:expr),*)) => {
        match $rows {
            1 => $block::<$vector, 1 $(, $more)*>($($argument),*),
            2 => $block::<$vector, 2 $(, $more)*>($($argument),*),
            3 => $block::<$vector, 3 $(, $more)*>($($argument),*),
            4 => $block::<$vector, 4 $(, $more)*>($($argument),*),
            5 => $block::<$vector, 5 $(, $more)*>($($argument),*),
            _ => $block::<$vector, 6 $(, $more)*>($($argument),*),
        }
    };
}
pub(super) use with_rows;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_rows_once_and_differ_by_one_at_most() {
        for most in 1..=6 {
            for rows in 0..40 {
                let found: Vec<_> = blocks(rows, most).collect();
                let mut next = 0;
                for (first, count) in &found {
                    assert_eq!(*first, next);
                    assert!((1..=most).contains(count));
                    next += count;
                }
                assert_eq!(next, rows);
                let counts = || found.iter().map(|(_, count)| *count);
                assert!(counts().max().unwrap_or(0) - counts().min().unwrap_or(0) <= 1);
            }
        }
    }
}
