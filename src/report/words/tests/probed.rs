//! Sentences about noise scales, sharpness, and the line between two solutions.

use super::*;

pub(super) fn noise_scales() -> Vec<String> {
    let median = |value, at_least| Median { value, at_least };
    let moment = |step: u64, plain| NoiseMedian {
        step,
        examples: 32 * step,
        seeds: 3,
        plain,
        adam: Some(median(7.0, false)),
    };
    let of = |points, critical, typical| NoiseFinding {
        arms: vec![NoiseArm { arm: "batch-32".into(), batch_size: 32, points }],
        ends: vec!["batch-32".into()],
        critical: Some(critical),
        typical: Some(typical),
    };
    let known = median(300.0, false);
    let bound = |value| median(value, true);
    let rise = of(vec![moment(10, median(20.0, false)), moment(20, known)], 100.0, known);
    let apart = of(vec![moment(10, known)], 4000.0, known);
    let unknown = of(vec![moment(10, bound(0.0)), moment(20, known)], 4000.0, bound(11.0));
    let bounds = of(vec![moment(10, bound(5.0)), moment(20, bound(9.0))], 100.0, known);
    assert_eq!(rise.beside_critical().unwrap().2, Fit::InLine);
    [rise, apart, unknown, bounds].iter().flat_map(noise::noise).collect()
}

pub(super) fn sharpness(metric: Metric) -> Vec<String> {
    let tau = |measure, tau: f64, ends: Option<[f64; 2]>| {
        let interval = ends.map(|[low, high]| Interval { low, high });
        RankCorrelation {
            measure,
            tau,
            interval,
            tau_within_rates: Some(tau),
            interval_within_rates: interval,
            tau_at_like_losses: Some(tau),
            interval_at_like_losses: interval,
        }
    };
    let of = |ratio: f64, sign: f64, ends: Option<[f64; 2]>| SharpnessFinding {
        runs: 16,
        seeds: 8,
        split: Split::Test,
        sharper: vec![Sharper {
            measure: "top_eigenvalue",
            small: "batch-32".into(),
            large: "batch-256".into(),
            log_ratio: estimate(ratio, 0.1),
        }],
        losses: Some([0.1, 0.3]),
        all_losses: None,
        rank_correlations: ["top_eigenvalue", "adaptive"]
            .map(|of| tau(of, sign * 0.5, ends))
            .into(),
        edges: Some([0.05, 0.13]),
        barriers: Vec::new(),
    };
    let barrier = |rise: f64, sd: f64, lowest: f64| Barrier {
        small: "batch-32".into(),
        large: "batch-256".into(),
        loss: estimate(rise, sd),
        metric: metric.info(),
        worst: estimate(lowest, 0.01),
        ends: [0.9, 0.95],
    };
    let mut worse = of(1.0, -1.0, Some([-0.8, -0.2]));
    worse.barriers = vec![barrier(0.5, 0.1, 0.75), barrier(0.0, 0.0, 0.9), barrier(0.06, 0.1, 0.9)];
    let all = [worse, of(-1.0, 1.0, Some([0.2, 0.8])), of(0.0, 1.0, None)];
    all.iter().flat_map(|found| minima::minima(found, scale(metric))).collect()
}

pub(super) fn lines_and_curves() -> Vec<String> {
    let line = |ends: Option<[f64; 2]>| RateScaling {
        exponent: 0.5,
        interval: ends.map(|[low, high]| Interval { low, high }),
        factor: 1e-3,
        batch_sizes: vec![16, 64, 256],
    };
    let lines = [None, Some([0.3, 0.7]), Some([0.1, 0.3]), Some([0.4, 1.2])].map(line);
    let mut said: Vec<String> = lines.iter().map(rates::scaling).collect();
    said.extend([NoScaling::BatchSizes(2), NoScaling::Alike].map(no_scaling));
    said.push(critical_batch(&TradeOff {
        smallest_steps: 50.0,
        least_examples: 6400.0,
        critical: 128.0,
        interval: Some(Interval { low: 100.0, high: 170.0 }),
        straddled: true,
        bounds: 0,
    }));
    let missing = [
        NoTradeOff::Setting("train.schedule".into()),
        NoTradeOff::Twins,
        NoTradeOff::NoCommonSeed,
        NoTradeOff::BatchSizes(2),
        NoTradeOff::NotConverged,
    ];
    said.extend(missing.iter().map(no_trade_off));
    said
}
