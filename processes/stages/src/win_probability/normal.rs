//! The standard normal distribution: what `std` lacks.

use std::f64::consts::SQRT_2;

/// P(Z <= z), by Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7, a thousandth of the
/// unit of price).
#[must_use]
pub fn phi(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = 0.254_829_592
        + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429)));
    let tail = 0.5 * t * series * (-x * x).exp();
    if z >= 0.0 { 1.0 - tail } else { tail }
}

/// The z with P(Z <= z) = p, by Acklam's rational approximation (relative error below 1.15e-9).
/// Infinite at 0 and 1; outside them, NaN.
#[must_use]
pub fn phi_inverse(p: f64) -> f64 {
    const SPLIT: f64 = 0.024_25;
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p < SPLIT {
        tail_quantile(p)
    } else if p > 1.0 - SPLIT {
        -tail_quantile(1.0 - p)
    } else {
        centre_quantile(p)
    }
}

fn centre_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    let q = p - 0.5;
    let r = q * q;
    q * horner(&A, r) / horner(&B, r)
}

fn tail_quantile(p: f64) -> f64 {
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let q = (-2.0 * p.ln()).sqrt();
    horner(&C, q) / horner(&D, q)
}

/// A polynomial, highest power first.
fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients
        .iter()
        .fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746),
            (-1.959_963_985, 0.025),
            (3.0, 0.998_650_102),
        ] {
            assert!((phi(z) - p).abs() < 2e-7, "phi({z}) = {}", phi(z));
            assert!(
                (phi_inverse(p) - z).abs() < 1e-6,
                "phi_inverse({p}) = {}",
                phi_inverse(p)
            );
        }
        assert_eq!(phi_inverse(0.0), f64::NEG_INFINITY);
        assert_eq!(phi_inverse(1.0), f64::INFINITY);
        assert!(phi_inverse(1.5).is_nan());
    }

    #[test]
    fn one_undoes_the_other() {
        for step in 1..1_000 {
            let p = f64::from(step) / 1_000.0;
            assert!((phi(phi_inverse(p)) - p).abs() < 3e-7, "at {p}");
        }
    }
}
