"""Where things lie. Everything that the benchmark makes is under target/bench, apart from its results."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "benches" / "peers"
MADE = ROOT / "target" / "bench"
ENVIRONMENTS = MADE / "env"
DATA = MADE / "data"
LOGS = MADE / "logs"
REVIEWS = ROOT / "data" / "movie_reviews.csv"
EXPERIMENT = ROOT / "experiments" / "seed_comparison.yaml"
BATCHSCOPE = ROOT / "target" / "debug" / "batchscope"
