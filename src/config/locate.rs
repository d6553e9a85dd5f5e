//! Where in a YAML text a key stands.
//!
//! The text is read once more by a visitor that walks down the path and fails on purpose at the key
//! it looks for: the parser then reports the position of that failure. So positions come from the
//! same parser as the values, also for keys whose value was checked long after parsing. The same
//! walk takes the text of a value as it was written, before YAML makes a number of it.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::fmt;

/// One step down from a mapping or a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// The way to a value: `study.arms[0].batch_size`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyPath(pub(super) Vec<Segment>);

impl KeyPath {
    /// Reads `study.arms.0.batch_size` or `study.arms[0].batch_size`.
    pub(super) fn parse(text: &str) -> Self {
        let segment = |part: &str| match part.parse() {
            Ok(index) => Segment::Index(index),
            Err(_) => Segment::Key(part.to_owned()),
        };
        let parts = text.split(['.', '[', ']']).filter(|part| !part.is_empty());
        Self(parts.map(segment).collect())
    }

    /// This path with an unknown key at its end, unless it ends with that key already.
    pub(super) fn with_key(mut self, key: Option<String>) -> Self {
        let unknown = key.map(Segment::Key).filter(|key| self.0.last() != Some(key));
        self.0.extend(unknown);
        self
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The 1-based line of `path` in `text`, or of its nearest ancestor that is written there.
pub(super) fn line_of(text: &str, path: &KeyPath) -> Option<usize> {
    let line = |depth: usize| Some(place_of(text, &path.0[..depth])?.location()?.line());
    (1..=path.0.len()).rev().find_map(line)
}

/// Whether `path` itself stands in `text`.
pub(super) fn is_written(text: &str, path: &KeyPath) -> bool {
    place_of(text, &path.0).is_some()
}

/// The parser's failure at `path`, which has the position; `None` where `text` has no such path.
fn place_of(text: &str, path: &[Segment]) -> Option<serde_yaml::Error> {
    let seed = Walk { rest: path, goal: Goal::Place };
    let error = seed.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.to_string().contains(FOUND).then_some(error)
}

/// The single value at `path` in `text` as it was written: `+1`, not 1. `None` where the text has
/// no such path, or a list or a mapping there.
pub(super) fn text_at(text: &str, path: &[Segment]) -> Option<String> {
    let found = RefCell::new(None);
    let yaml = serde_yaml::Deserializer::from_str(text);
    match path {
        [] => Text(&found).deserialize(yaml).ok()?,
        _ => Walk { rest: path, goal: Goal::Text(&found) }.deserialize(yaml).ok()?,
    }
    found.into_inner()
}

const FOUND: &str = "\u{1}found";

struct Walk<'p> {
    rest: &'p [Segment],
    goal: Goal<'p>,
}

/// What is wanted at the end of a path.
#[derive(Clone, Copy)]
enum Goal<'p> {
    /// That the parser fails there.
    Place,
    /// The text of the value.
    Text(&'p RefCell<Option<String>>),
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping or a sequence")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Segment::Key(wanted), rest)) = self.rest.split_first() else {
            return Err(A::Error::custom("not a key"));
        };
        let goal = self.goal;
        let fails = rest.is_empty() && matches!(goal, Goal::Place);
        while let Some(found) = map.next_key_seed(KeyIs { wanted, fails })? {
            match (found, goal) {
                (true, Goal::Text(text)) if rest.is_empty() => map.next_value_seed(Text(text))?,
                (true, _) => map.next_value_seed(Walk { rest, goal })?,
                (false, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Segment::Index(wanted), rest)) = self.rest.split_first() else {
            return Err(A::Error::custom("not an index"));
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        match (rest.is_empty(), self.goal) {
            (true, Goal::Place) => seq.next_element_seed(Here)?,
            (true, Goal::Text(text)) => seq.next_element_seed(Text(text))?,
            (false, goal) => seq.next_element_seed(Walk { rest, goal })?,
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Compares a key, and may fail at it.
struct KeyIs<'p> {
    wanted: &'p str,
    fails: bool,
}

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match (key == self.wanted, self.fails) {
            (true, true) => Err(E::custom(FOUND)),
            (is_wanted, _) => Ok(is_wanted),
        }
    }
}

/// Takes a single value as text, whatever YAML would read it as.
struct Text<'p>(&'p RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        *self.0.borrow_mut() = Some(text.to_owned());
        Ok(())
    }
}

/// Fails at whatever stands here.
struct Here;

impl<'de> DeserializeSeed<'de> for Here {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Here {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FOUND)
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(FOUND))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(FOUND))
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom(FOUND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
study:
  seeds: 3
  arms:
    - { name: small, batch_size: 32 }
    - name: large
      batch_size: 256
train:
  epochs: 2
";

    fn line(path: &str) -> Option<usize> {
        line_of(TEXT, &KeyPath::parse(path))
    }

    #[test]
    fn keys_in_blocks_in_flow_mappings_and_in_sequences_are_found() {
        assert_eq!(line("study"), Some(2));
        assert_eq!(line("study.seeds"), Some(3));
        assert_eq!(line("study.arms[0].batch_size"), Some(5));
        assert_eq!(line("study.arms[1]"), Some(6));
        assert_eq!(line("study.arms.1.batch_size"), Some(7));
        assert_eq!(line("train.epochs"), Some(9));
    }

    #[test]
    fn a_key_that_is_not_written_is_placed_at_its_nearest_ancestor() {
        assert_eq!(line("train.optimizer.adam.lr"), Some(8));
        assert_eq!(line("study.arms[7].name"), Some(4));
        assert_eq!(line("model"), None);
    }

    #[test]
    fn values_are_taken_as_they_were_written() {
        let text = "a: &one +1\nb: { c: 2.50, d: [True, 0x10], e: *one }\nf: [1]\n";
        let of = |path: &str| text_at(text, &KeyPath::parse(path).0);
        let values = ["a", "b.c", "b.d.0", "b.d.1", "b.e"].map(|path| of(path).unwrap());
        assert_eq!(values, ["+1", "2.50", "True", "0x10", "+1"]);
        assert_eq!((of("f"), of("b.x"), of("f.7")), (None, None, None));
        assert_eq!(text_at("2e3", &[]).as_deref(), Some("2e3"));
    }
}
