//! A span of time as people write it: `90s`, `10m`, `1h30m`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

/// Whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(u64);

/// Letters and what they stand for in seconds, the longest first.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
/// Ten years: whoever asks for more has slipped.
const MOST: f64 = 3650.0 * 86_400.0;
const USAGE: &str = "a time such as `90s`, `10m` or `1h30m`";

impl Time {
    /// The span itself.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("expected {USAGE}, received `{text}`");
        let (mut rest, mut seconds, mut last) = (text.trim(), 0.0, usize::MAX);
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(refused)?;
            let number = &rest[..end];
            let plain = |c: char| c.is_ascii_digit() || c == '.';
            let value: f64 = match number.chars().all(plain) {
                true => number.parse().map_err(|_| refused())?,
                false => return Err(refused()),
            };
            let place = UNITS.iter().position(|(unit, _)| rest[end..].starts_with(unit));
            let place = place.ok_or_else(refused)?;
            // `1h30m` and not `30m1h`, nor `1m1m`.
            if last != usize::MAX && place <= last {
                return Err(refused());
            }
            last = place;
            seconds += value * UNITS[place].1 as f64;
            rest = &rest[end + 1..];
        }
        match (1.0..=MOST).contains(&seconds) {
            true => Ok(Self(seconds.round() as u64)),
            false => Err(refused()),
        }
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for (unit, length) in UNITS {
            if left >= length {
                write!(f, "{}{unit}", left / length)?;
                left %= length;
            }
        }
        Ok(())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Time;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(USAGE)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time: 90s, 10m, 1h30m.",
            "pattern": "^\\s*([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?\\s*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units_and_written_the_same_way() {
        let cases = [
            ("90s", 90, "1m30s"),
            ("10m", 600, "10m"),
            ("2h", 7200, "2h"),
            ("1h30m", 5400, "1h30m"),
            ("1.5h", 5400, "1h30m"),
            ("1d", 86_400, "1d"),
        ];
        for (text, seconds, written) in cases {
            let time: Time = text.parse().unwrap();
            assert_eq!((time.duration().as_secs(), time.to_string()), (seconds, written.into()));
            assert_eq!(written.parse::<Time>().unwrap(), time);
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_was_received() {
        for text in
            ["", "10", "0s", "-1m", "m", "10 minutes", "10mins", "1m1h", "1m1m", "1e9d", "ä"]
        {
            let said = text.parse::<Time>().unwrap_err();
            assert!(said.ends_with(&format!("received `{text}`")), "{said}");
        }
        let said = serde_yaml::from_str::<Time>("10").unwrap_err().to_string();
        assert!(said.contains("integer `10`, expected a time such as `90s`"), "{said}");
    }
}
