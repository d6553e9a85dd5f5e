//! Rules of what is said of labels: the head decides whether they are two classes, several, or numbers, and
//! so which losses there are.

use super::{Checked, broken, positive};
use crate::config::{ClassWeight, ClassWeights, DataSection, DenseSection, TrainSection};
use crate::spec::{Activation, Loss};

pub(super) fn check(dense: &DenseSection, train: &TrainSection, data: &DataSection) -> Checked {
    named_positive(dense, data)?;
    of_head(dense, train)?;
    match (&train.class_weight, dense.activation) {
        (None, _) => Ok(()),
        (Some(_), Activation::Linear) => Err(broken(
            "train.class_weight",
            "weights are for classes, and `activation: linear` predicts numbers",
            "remove `class_weight`; where the labels are classes use `dense: { activation: softmax }`, or \
             `dense: { units: 1, activation: sigmoid }` for two",
        )),
        (Some(ClassWeight::Rule(_)), _) => Ok(()),
        (Some(ClassWeight::Each(weights)), activation) => {
            let classes = match activation {
                Activation::Sigmoid => Some(2),
                Activation::Softmax | Activation::Linear => dense.units,
            };
            each(weights, classes)
        }
    }
}

/// `positive` says which label counts as 1.
fn named_positive(dense: &DenseSection, data: &DataSection) -> Checked {
    let table = data.table.as_ref().and_then(|table| table.positive.as_ref());
    let arrays = data.arrays.as_ref().and_then(|arrays| arrays.positive.as_ref());
    let path = match (table, arrays, dense.activation) {
        (_, _, Activation::Sigmoid) | (None, None, _) => return Ok(()),
        (Some(_), ..) => "data.table.positive",
        (None, Some(_), _) => "data.arrays.positive",
    };
    let received = dense.activation.name();
    let hint = match dense.activation {
        Activation::Softmax => {
            "remove it: of several classes none is the positive one; for one against all others use `dense: \
             { units: 1, activation: sigmoid }`"
        }
        _ => "remove it: numbers are predicted as they are",
    };
    let rule = format!(
        "`positive` names the class that counts as 1 for `activation: sigmoid`, and the head is `{received}`"
    );
    Err(broken(path, rule, hint))
}

/// Each loss is that of one head.
fn of_head(dense: &DenseSection, train: &TrainSection) -> Checked {
    let Some(loss) = train.loss else { return Ok(()) };
    let (own, head) = (loss.activation(), dense.activation);
    if own == head {
        return Ok(());
    }
    let instead = match own {
        Activation::Sigmoid => {
            "tell two classes apart with `dense: { units: 1, activation: sigmoid }`"
        }
        Activation::Softmax => "tell several classes apart with `dense: { activation: softmax }`",
        Activation::Linear => "predict numbers with `dense: { units: 1, activation: linear }`",
    };
    Err(broken(
        "train.loss",
        format!(
            "`{}` needs `activation: {}`, and the head is `{}`",
            loss.name(),
            own.name(),
            head.name()
        ),
        &format!("write `loss: {}`, or {instead}", Loss::of(head).name()),
    ))
}

/// A weight for each class from 0 on, and for no other; K is not known where it follows from the data.
fn each(weights: &ClassWeights, classes: Option<u32>) -> Checked {
    for (class, weight) in weights.classes().zip(weights.values()) {
        positive(&format!("train.class_weight.{class}"), weight)?;
    }
    let received = weights.classes().count() as u32;
    let counted = weights.classes().eq(0..received);
    if counted && classes.map_or(received >= 2, |classes| classes == received) {
        return Ok(());
    }
    let named: Vec<String> = weights.classes().map(|class| class.to_string()).collect();
    let wanted = match classes {
        Some(2) => "0 and 1".to_owned(),
        Some(classes) => format!("0 to {}", classes.saturating_sub(1)),
        None => "0, 1 and so on".to_owned(),
    };
    Err(broken(
        "train.class_weight",
        format!("must have a weight for each class, {wanted}, received {}", named.join(", ")),
        "classes are numbered in sorted order, as `data/labels.json` in the study's folder says; \
         `balanced` weighs each by its rows",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};
    use crate::spec::Huber;

    fn checked(dense: &str, class_weight: &str, positive: &str) -> Result<(), String> {
        let dense: DenseSection = serde_yaml::from_str(dense).unwrap();
        let train: TrainSection = serde_yaml::from_str(class_weight).unwrap();
        let data = format!("table: {{ path: a.csv{positive} }}");
        let data: DataSection = serde_yaml::from_str(&data).unwrap();
        check(&dense, &train, &data).map_err(|broken| {
            assert!(broken.hint.is_some(), "{}", broken.rule);
            broken.rule
        })
    }

    #[test]
    fn positive_is_for_a_sigmoid_alone() {
        let of = |dense: &str| checked(dense, "{}", ", positive: yes");
        of("{ activation: sigmoid }").unwrap();
        for head in ["softmax", "linear"] {
            let said = of(&format!("{{ activation: {head} }}")).unwrap_err();
            assert!(said.contains("the class that counts as 1") && said.contains(head), "{said}");
        }
    }

    #[test]
    fn a_weight_is_for_each_class_and_for_no_number() {
        let of = |dense: &str, weights: &str| {
            checked(dense, &format!("{{ class_weight: {weights} }}"), "")
        };
        of("{ activation: sigmoid }", "{ 0: 1, 1: 3.5 }").unwrap();
        of("{ activation: softmax }", "{ 0: 1, 1: 3, 2: 1 }").unwrap();
        of("{ activation: softmax, units: 3 }", "{ 0: 1, 1: 3, 2: 1 }").unwrap();
        of("{ activation: softmax }", "balanced").unwrap();
        let said = of("{ activation: sigmoid }", "{ 0: 1, 1: 3, 2: 1 }").unwrap_err();
        assert!(said.ends_with("each class, 0 and 1, received 0, 1, 2"), "{said}");
        let said = of("{ activation: softmax, units: 3 }", "{ 0: 1, 1: 3 }").unwrap_err();
        assert!(said.ends_with("0 to 2, received 0, 1"), "{said}");
        assert!(of("{ activation: softmax }", "{ 0: 1, 2: 3 }").is_err());
        let said = of("{ activation: linear }", "balanced").unwrap_err();
        assert!(said.contains("predicts numbers"), "{said}");
    }

    #[test]
    fn a_loss_is_that_of_the_head() {
        let of = |head: &str, loss: &str| {
            checked(&format!("{{ activation: {head} }}"), &format!("{{ loss: {loss} }}"), "")
        };
        for (head, losses) in [
            ("sigmoid", &["binary_crossentropy"][..]),
            ("softmax", &["sparse_categorical_crossentropy"]),
            ("linear", &["mse", "mae", "huber"]),
        ] {
            losses.iter().for_each(|loss| of(head, loss).unwrap());
        }
        let said = of("sigmoid", "mse").unwrap_err();
        assert_eq!(said, "`mse` needs `activation: linear`, and the head is `sigmoid`");
        for (head, loss) in [
            ("linear", "binary_crossentropy"),
            ("softmax", "binary_crossentropy"),
            ("softmax", "{ huber: { delta: 1 } }"),
            ("sigmoid", "categorical_crossentropy"),
        ] {
            assert!(of(head, loss).is_err(), "{head} {loss}");
        }
    }

    #[test]
    fn a_loss_is_named_with_its_settings_or_without() {
        let read = |loss: &str| {
            let train = serde_yaml::from_str::<TrainSection>(&format!("{{ loss: {loss} }}"));
            train.unwrap().loss.unwrap()
        };
        for name in ["categorical_crossentropy", "sparse_categorical_crossentropy"] {
            assert_eq!(read(name), Loss::of(Activation::Softmax));
        }
        assert_eq!(read("mse"), Loss::Mse);
        assert_eq!(read("huber"), Loss::Huber(Huber { delta: 1.0 }));
        assert_eq!(read("{ huber: { delta: 2 } }"), Loss::Huber(Huber { delta: 2.0 }));
        let smooth = "{ categorical_crossentropy: { label_smoothing: 0.1 } }";
        assert_ne!(read(smooth), Loss::of(Activation::Softmax));
    }

    #[test]
    fn an_arm_s_weights_replace_those_of_the_file() {
        let text = "study: { arms: [{ batch_size: 8, train: { class_weight: { 0: 4, 1: 5, 2: 6 } } }] }\n\
                    data: { arrays: { path: a.npz } }\nmodel: { dense: { activation: softmax } }\n\
                    train: { class_weight: { 0: 1, 1: 2, 2: 3 } }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        let study = Study::from_source(&source, "f").unwrap();
        let Some(ClassWeight::Each(weights)) = &study.arms[0].train.class_weight else { panic!() };
        assert_eq!(weights.values().collect::<Vec<_>>(), [4.0, 5.0, 6.0]);
        let again = Source { text: study.to_yaml().unwrap(), ..source };
        assert_eq!(Study::from_source(&again, "f").unwrap().arms, study.arms);
    }

    #[test]
    fn weights_of_two_classes_are_written_as_before() {
        let train: TrainSection =
            serde_yaml::from_str("{ class_weight: { 0: 1.0, 1: 3.0 } }").unwrap();
        let written = serde_json::to_string(&train.class_weight).unwrap();
        assert_eq!(written, "{\"0\":1.0,\"1\":3.0}");
        let yaml = serde_yaml::to_string(&train.class_weight).unwrap();
        assert_eq!(yaml, "'0': 1.0\n'1': 3.0\n");
        let again: Option<ClassWeight> = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(again, train.class_weight);
    }
}
