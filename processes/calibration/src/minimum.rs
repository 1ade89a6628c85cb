//! Where a function is least: of one number by the golden section, of a few by Nelder and Mead ("A
//! simplex method for function minimization", Computer Journal 1965).

/// Where between `low` and `high` a function with one valley is least, to a thousandth of the interval.
pub fn golden(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const SECTION: f64 = 0.618_033_988_749_895;
    let (mut low, mut high) = (low, high);
    let tolerance = (high - low) * 1e-3;
    let (mut left, mut right) = (high - SECTION * (high - low), low + SECTION * (high - low));
    let (mut at_left, mut at_right) = (f(left), f(right));
    while high - low > tolerance {
        if at_left <= at_right {
            high = right;
            (right, at_right) = (left, at_left);
            left = high - SECTION * (high - low);
            at_left = f(left);
        } else {
            low = left;
            (left, at_left) = (right, at_right);
            right = low + SECTION * (high - low);
            at_right = f(right);
        }
    }
    f64::midpoint(low, high)
}

/// A corner of the simplex and the function there.
type Corner = (Vec<f64>, f64);

/// Where near `start` a function is least: until the corners differ by less than `tolerance` or after
/// `most` steps. Where the function is no number it counts as infinite.
pub fn nelder_mead(
    start: &[f64],
    step: f64,
    tolerance: f64,
    most: usize,
    f: impl Fn(&[f64]) -> f64,
) -> Vec<f64> {
    let value = |x: &[f64]| {
        let value = f(x);
        if value.is_nan() { f64::INFINITY } else { value }
    };
    let corner = |x: Vec<f64>| -> Corner {
        let at = value(&x);
        (x, at)
    };
    let mut simplex = vec![corner(start.to_vec())];
    for axis in 0..start.len() {
        let mut x = start.to_vec();
        x[axis] += step;
        simplex.push(corner(x));
    }
    for _ in 0..most {
        simplex.sort_by(|one, other| one.1.total_cmp(&other.1));
        let last = simplex.len() - 1;
        let (best, worst) = (simplex[0].1, simplex[last].1);
        let wide = simplex[1..]
            .iter()
            .any(|(x, _)| apart(x, &simplex[0].0) > tolerance);
        if !wide || start.is_empty() || (worst - best).abs() < 1e-12 {
            break;
        }
        let centre = centre(&simplex[..last]);
        let along = |by: f64| {
            let worst = &simplex[last].0;
            let moved = centre.iter().zip(worst).map(|(c, w)| c + by * (c - w));
            corner(moved.collect())
        };
        let reflected = along(1.0);
        let second = simplex[last - 1].1;
        let replacement = if reflected.1 < best {
            let expanded = along(2.0);
            if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            }
        } else if reflected.1 < second {
            reflected
        } else if reflected.1 < worst {
            along(0.5)
        } else {
            along(-0.5)
        };
        if replacement.1 < worst {
            simplex[last] = replacement;
            continue;
        }
        let best = simplex[0].0.clone();
        for other in &mut simplex[1..] {
            let halved = other
                .0
                .iter()
                .zip(&best)
                .map(|(x, b)| f64::midpoint(*x, *b));
            *other = corner(halved.collect());
        }
    }
    simplex.sort_by(|one, other| one.1.total_cmp(&other.1));
    simplex.swap_remove(0).0
}

fn apart(one: &[f64], other: &[f64]) -> f64 {
    let widest = one.iter().zip(other).map(|(a, b)| (a - b).abs());
    widest.fold(0.0, f64::max)
}

fn centre(corners: &[Corner]) -> Vec<f64> {
    let mut sum = vec![0.0; corners[0].0.len()];
    for (x, _) in corners {
        for (slot, value) in sum.iter_mut().zip(x) {
            *slot += value / corners.len() as f64;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parabola_has_its_least_value_where_it_has() {
        let at = golden(-1.0, 4.0, |x| (x - 1.25) * (x - 1.25));
        assert!((at - 1.25).abs() < 5e-3, "{at}");
        assert!(golden(0.0, 1.0, |x| x) < 2e-3);
    }

    /// Rosenbrock's valley, and a function that is no number in half of the plane.
    #[test]
    fn a_bent_valley_is_followed_to_its_end() {
        let valley = |x: &[f64]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2);
        let at = nelder_mead(&[-1.2, 1.0], 0.5, 1e-6, 2_000, valley);
        assert!(
            (at[0] - 1.0).abs() < 1e-3 && (at[1] - 1.0).abs() < 1e-3,
            "{at:?}"
        );
        let walled = nelder_mead(&[4.0], 1.0, 1e-6, 500, |x| x[0].ln().powi(2));
        assert!((walled[0] - 1.0).abs() < 1e-3, "{walled:?}");
    }
}
