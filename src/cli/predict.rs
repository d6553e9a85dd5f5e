//! `batchscope predict RUN_DIR --input FILE`: the class of new examples with its probability, or their number.

use super::diagnostics::{self, Output};
use super::format;
use super::recommended::run_of;
use super::sink::{Sink, refuse_missing_folder};
use crate::data::{Account, Facts, Inputs, text_lines};
use crate::error::UserError;
use crate::kernels::start_libtorch;
use crate::spec::Task;
use crate::study::{Answer, Prediction, TrainedRun};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_long_help = COLUMNS)]
pub(super) struct PredictArgs {
    /// The folder of a finished run, such as runs/quickstart/batch-32/seed-0, or of a study
    ///
    /// Of a study, the best run by validation of the recommended arm is taken.
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// New examples: a file of the study's kind, without labels; or `-`, one text a line
    ///
    /// For text a table with the study's text column, for arrays a file with `[N, T, F]`, for a series a table with
    /// its columns but the target: each row that ends a window is an example.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where the predictions go; `-` is standard output
    ///
    /// A file is replaced as a whole; its folder must be there. A device, a FIFO or `>(...)` of a shell is written to.
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Copy this column of the input beside the predictions; may be repeated
    #[arg(long, value_name = "COLUMN")]
    keep: Vec<String>,
    /// How they are written [default: by the name of the output, else csv]
    #[arg(long, value_enum)]
    format: Option<OutputFormat>,
}

const COLUMNS: &str = "Columns of the answer, one row an example, in the order of the input:
  index        its place in the input, from 0: as many rows as examples, so that columns can be joined
  row          its line in a table or in the standard input, its row (from 0) in an array
  last_row     in its place for a series: the line of the last row that is read for it. In
               test_predictions.csv of a run `row` is the line of the target
  probability  that it belongs to class 1; of several classes, that of the predicted one; none of numbers
  prediction   the class as the study's labels call it; class 1 for a probability above 0.5; or the number
  p_CLASS      of several classes: that it belongs to this one
In CSV a class or a kept cell that a spreadsheet would run, such as =A1 or @ann, has an apostrophe in
front; -1 has none. With `--format jsonl` kept cells are texts as they stand, and null where there is none.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OutputFormat {
    /// A header line and commas
    Csv,
    /// One JSON object a line
    Jsonl,
}

pub(super) fn predict(args: &PredictArgs, output: Output) -> Result<ExitCode> {
    let sink = Sink::of(&args.output);
    let written = args.format.map_or_else(|| format_of(&args.output, &sink), Ok)?;
    refuse_same_file(&args.input, &args.output)?;
    if let Sink::File(path) = &sink {
        refuse_missing_folder(path)?;
    }
    let run = TrainedRun::open(&run_of(&args.run, output)?)?;
    start_libtorch()?;
    let encoder = run.encoder()?;
    let columns = Columns::of(run.task(), encoder.facts());
    refuse_doubled(&args.keep, &columns.names())?;
    if let (Task::Binary, [_, one]) = (run.task(), &encoder.facts().classes[..]) {
        output.note(&format!("`probability` is that of the label `{one}`"));
    }
    let (predictions, kept) = match is_standard(&args.input) {
        false => {
            let inputs = encoder.read(&args.input, &args.keep)?;
            let differences = inputs.account().and_then(Account::differences);
            differences.iter().for_each(|said| output.note(&format!("read {said}")));
            diagnostics::print_warnings(encoder.other_steps(&inputs).as_slice());
            diagnostics::print_warnings(inputs.too_short().map(str::to_owned).as_slice());
            (run.predict(&encoder, &inputs)?, inputs.kept().to_vec())
        }
        true if !args.keep.is_empty() => {
            return Err(UserError::new(
                "`--keep` names columns, and texts on standard input have none",
                "name a table with `--input`",
            )
            .into());
        }
        true => {
            let mut predictions = run.predict(&encoder, &Inputs::texts(standard_lines()?))?;
            predictions.iter_mut().for_each(|prediction| prediction.row += 1);
            (predictions, Vec::new())
        }
    };
    let answer = Table { columns, predictions: &predictions, names: &args.keep, kept: &kept };
    let text = match written {
        OutputFormat::Csv => answer.csv()?,
        OutputFormat::Jsonl => answer.jsonl()?,
    };
    if sink == Sink::Standard {
        output.data(&answer.rows()?, text.trim_end_matches('\n'))?;
    } else {
        sink.write(&text)?;
        let count = predictions.len();
        let said = format!("{}: {}", args.output.display(), format::counted(count, "prediction"));
        output.answer(&json!({ "output": args.output, "predictions": count }), &said)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// The texts on standard input, one a line; an empty line is an empty text.
fn standard_lines() -> Result<Vec<String>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read the standard input")?;
    Ok(text_lines("standard input", bytes)?)
}

fn format_of(output: &Path, sink: &Sink) -> Result<OutputFormat, UserError> {
    let ending = output.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("jsonl" | "ndjson") => Ok(OutputFormat::Jsonl),
        Some("csv") => Ok(OutputFormat::Csv),
        // Its name tells nothing: `-`, `/dev/fd/63`.
        _ if !matches!(sink, Sink::File(_)) => Ok(OutputFormat::Csv),
        _ => Err(UserError::new(
            format!("the name {} does not tell how to write predictions", output.display()),
            "name a file that ends in .csv or .jsonl, or add `--format csv` or `--format jsonl`",
        )),
    }
}

/// Each column of the answer has a name of its own.
fn refuse_doubled(keep: &[String], own: &[String]) -> Result<(), UserError> {
    let is_doubled =
        |(at, name): &(usize, &String)| own.contains(name) || keep[..*at].contains(name);
    match keep.iter().enumerate().find(is_doubled) {
        None => Ok(()),
        Some((_, name)) => Err(UserError::new(
            format!("`--keep {name}`: the answer has a column of this name already"),
            format!("name each column once, and rename those called {}", own.join(", ")),
        )),
    }
}

/// Predictions must not take the place of what they are made from.
fn refuse_same_file(input: &Path, output: &Path) -> Result<(), UserError> {
    let same = match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(output)) => input == output,
        _ => false,
    };
    match same {
        false => Ok(()),
        true => Err(UserError::new(
            format!("`--output {}` is the input itself", output.display()),
            "name another file for the predictions",
        )),
    }
}

/// The columns of what is predicted.
#[derive(Clone, Copy)]
struct Columns<'a> {
    /// What the place of an example in its file is called.
    row: &'static str,
    task: Task,
    classes: &'a [String],
}

impl<'a> Columns<'a> {
    fn of(task: Task, facts: &'a Facts) -> Self {
        // The records of a series have the line of the target as `row`.
        let row = if facts.windows.is_some() { "last_row" } else { "row" };
        Self { row, task, classes: &facts.classes }
    }

    fn names(self) -> Vec<String> {
        let first: &[&str] = match self.task {
            Task::Binary | Task::Multiclass => &["index", self.row, "probability", "prediction"],
            Task::Regression => &["index", self.row, "prediction"],
        };
        let each: &[String] = if self.task == Task::Multiclass { self.classes } else { &[] };
        let each = each.iter().map(|class| format!("p_{class}"));
        first.iter().map(|name| (*name).to_owned()).chain(each).collect()
    }

    /// The values of a prediction, in the order of the names.
    fn values(self, prediction: &Prediction) -> Vec<Value> {
        let Prediction { index, row, answer } = prediction;
        let first = [json!(index), json!(row)];
        let rest = match answer {
            Answer::Binary { probability, class } => vec![json!(probability), json!(class)],
            Answer::Class { class, probabilities } => {
                let most = probabilities.iter().copied().fold(0.0, f64::max);
                let each = probabilities.iter().map(|p| json!(p));
                [json!(most), json!(class)].into_iter().chain(each).collect()
            }
            Answer::Number(value) => vec![json!(value)],
        };
        first.into_iter().chain(rest).collect()
    }
}

/// Predictions with the columns that are kept beside them.
struct Table<'a> {
    columns: Columns<'a>,
    predictions: &'a [Prediction],
    names: &'a [String],
    /// One list a column.
    kept: &'a [Vec<Option<String>>],
}

impl Table<'_> {
    fn csv(&self) -> Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.names.iter().map(|name| format::cell(name));
        let own = self.columns.names();
        let header = own.iter().map(|name| format::cell(name)).chain(names);
        writer.write_record(header.map(Cow::into_owned))?;
        for (at, found) in self.predictions.iter().enumerate() {
            let kept = self.kept.iter().map(|column| column[at].as_deref().unwrap_or_default());
            let kept = kept.map(|cell| format::cell(cell).into_owned());
            let own = self.columns.values(found);
            writer.write_record(own.iter().map(csv_cell).chain(kept))?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }

    fn jsonl(&self) -> Result<String> {
        self.rows()?.iter().map(|row| Ok(serde_json::to_string(row)? + "\n")).collect()
    }

    /// One object a prediction; a kept column has its own name, unless a prediction has it.
    fn rows(&self) -> Result<Vec<Value>> {
        let row = |(at, prediction): (usize, &Prediction)| {
            let own = self.columns.names().into_iter().zip(self.columns.values(prediction));
            let mut row = Value::Object(own.collect());
            for (name, column) in self.names.iter().zip(self.kept) {
                if row.get(name).is_none() {
                    row[name] = column[at].clone().into();
                }
            }
            Ok(row)
        };
        self.predictions.iter().enumerate().map(row).collect()
    }
}

/// A value without losing a digit; a text such that no spreadsheet runs it.
fn csv_cell(value: &Value) -> String {
    match value {
        Value::String(text) => format::cell(text).into_owned(),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(String::new, |number| number.to_string())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Columns<'_> = Columns { row: "row", task: Task::Binary, classes: &[] };

    fn predictions() -> Vec<Prediction> {
        let prediction = |index, row, probability, class: &str| {
            let class = class.to_owned();
            Prediction { index, row, answer: Answer::Binary { probability, class } }
        };
        vec![
            prediction(0, 2, 0.1, "no"),
            prediction(1, 3, 1e-9, "a, b"),
            prediction(2, 4, 0.7, "=HYPERLINK(\"x\")"),
            prediction(3, 5, 0.5, "-1"),
        ]
    }

    #[test]
    fn probabilities_are_written_so_that_no_digit_is_lost() {
        let all = predictions();
        let answer = Table { columns: TWO, predictions: &all, names: &[], kept: &[] };
        let text = answer.csv().unwrap();
        assert_eq!(
            text,
            "index,row,probability,prediction\n0,2,0.1,no\n1,3,0.000000001,\"a, b\"\n\
             2,4,0.7,\"'=HYPERLINK(\"\"x\"\")\"\n3,5,0.5,-1\n"
        );
        for line in text.lines().skip(1).zip(predictions()) {
            let field = line.0.split(',').nth(2).unwrap();
            let Answer::Binary { probability, .. } = line.1.answer else { panic!() };
            assert_eq!(field.parse::<f64>().unwrap().to_bits(), probability.to_bits());
        }
        let first = answer.jsonl().unwrap().lines().next().unwrap().to_owned();
        let read: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(read["probability"].as_f64().unwrap().to_bits(), 0.1f64.to_bits());
        assert_eq!((read["row"].as_u64(), read["prediction"].as_str()), (Some(2), Some("no")));
    }

    #[test]
    fn several_classes_and_numbers_have_columns_of_their_own() {
        let classes = ["a".to_owned(), "=b".to_owned(), "c".to_owned()];
        let table = |task, answer| {
            let predictions = [Prediction { index: 0, row: 2, answer }];
            let row = if task == Task::Regression { "last_row" } else { "row" };
            let columns = Columns { row, task, classes: &classes };
            let table = Table { columns, predictions: &predictions, names: &[], kept: &[] };
            (table.csv().unwrap(), table.jsonl().unwrap())
        };
        let answer = Answer::Class { class: "c".into(), probabilities: vec![0.25, 0.125, 0.625] };
        let (csv, jsonl) = table(Task::Multiclass, answer);
        let head = "index,row,probability,prediction,p_a,p_=b,p_c";
        assert_eq!(csv, format!("{head}\n0,2,0.625,c,0.25,0.125,0.625\n"));
        assert!(jsonl.contains("\"p_=b\":0.125"), "{jsonl}");
        let (csv, jsonl) = table(Task::Regression, Answer::Number(-1.5));
        assert_eq!(csv, "index,last_row,prediction\n0,2,-1.5\n");
        assert_eq!(jsonl, "{\"index\":0,\"last_row\":2,\"prediction\":-1.5}\n");
    }

    #[test]
    fn columns_that_are_kept_stand_beside_the_predictions() {
        let all = predictions();
        let names = ["id", "row"].map(String::from);
        let kept = [[Some("a"), Some("b"), Some("=1"), None], ["w", "x", "y", "z"].map(Some)];
        let kept = kept.map(|column| column.map(|cell| cell.map(String::from)).to_vec());
        let answer = Table { columns: TWO, predictions: &all, names: &names, kept: &kept };
        let text = answer.csv().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "index,row,probability,prediction,id,row");
        assert_eq!((lines[1], lines[4]), ("0,2,0.1,no,a,w", "3,5,0.5,-1,,z"));
        assert!(lines[3].ends_with(",'=1,y"), "{}", lines[3]);
        let first = &answer.rows().unwrap()[0];
        assert_eq!((&first["id"], &first["row"]), (&"a".into(), &2.into()));
        assert_eq!(answer.rows().unwrap()[3]["id"], Value::Null);
    }

    #[test]
    fn the_name_of_the_output_tells_its_format() {
        let of = |name: &str| format_of(Path::new(name), &Sink::of(Path::new(name)));
        assert!(matches!(of("a.jsonl"), Ok(OutputFormat::Jsonl)));
        assert!(matches!(of("a.csv"), Ok(OutputFormat::Csv)));
        assert!(of("a.json").unwrap_err().hint.unwrap().contains(".jsonl"));
        assert!(matches!(of("-"), Ok(OutputFormat::Csv)));
        assert!(matches!(of("/dev/full"), Ok(OutputFormat::Csv)));
    }
}
