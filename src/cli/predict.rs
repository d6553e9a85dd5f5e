//! `batchscope predict RUN_DIR --input FILE`: the class of new examples, with its probability.

use super::diagnostics::Output;
use super::format;
use super::recommended::run_of;
use super::sink::{Sink, refuse_missing_folder};
use crate::data::{Account, Inputs, text_lines};
use crate::error::UserError;
use crate::kernels::start_libtorch;
use crate::study::{Prediction, TrainedRun};
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
    /// For text a table with the study's text column, for arrays a file with `[N, T, F]`.
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
  probability  that it belongs to class 1
  prediction   the class as the study's labels call it; class 1 for a probability above 0.5
In CSV a class that a spreadsheet would run, such as =A1, has an apostrophe in front; -1 has none.";

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
    refuse_doubled(&args.keep)?;
    if let Sink::File(path) = &sink {
        refuse_missing_folder(path)?;
    }
    let run = TrainedRun::open(&run_of(&args.run, output)?)?;
    start_libtorch()?;
    let encoder = run.encoder()?;
    let (predictions, kept) = match is_standard(&args.input) {
        false => {
            let inputs = encoder.read(&args.input, &args.keep)?;
            let differences = inputs.account().and_then(Account::differences);
            differences.iter().for_each(|said| output.note(&format!("read {said}")));
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
    let answer = Answer { predictions: &predictions, names: &args.keep, kept: &kept };
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
fn refuse_doubled(keep: &[String]) -> Result<(), UserError> {
    let own = ["index", "row", "probability", "prediction"];
    let is_doubled =
        |(at, name): &(usize, &String)| own.contains(&name.as_str()) || keep[..*at].contains(name);
    match keep.iter().enumerate().find(is_doubled) {
        None => Ok(()),
        Some((_, name)) => Err(UserError::new(
            format!("`--keep {name}`: the answer has a column of this name already"),
            "name each column once, and rename those called index, row, probability or prediction",
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

/// Predictions with the columns that are kept beside them.
struct Answer<'a> {
    predictions: &'a [Prediction],
    names: &'a [String],
    /// One list a column.
    kept: &'a [Vec<String>],
}

impl Answer<'_> {
    fn csv(&self) -> Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.names.iter().map(|name| format::cell(name));
        let header = ["index", "row", "probability", "prediction"].map(Cow::from);
        writer.write_record(header.into_iter().chain(names).map(|cell| cell.into_owned()))?;
        for (at, found) in self.predictions.iter().enumerate() {
            let Prediction { index, row, probability, class } = found;
            let numbers = [index.to_string(), row.to_string(), probability.to_string()];
            let kept = self.kept.iter().map(|column| format::cell(&column[at]).into_owned());
            let class = format::cell(class).into_owned();
            writer.write_record(numbers.into_iter().chain([class]).chain(kept))?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }

    fn jsonl(&self) -> Result<String> {
        self.rows()?.iter().map(|row| Ok(serde_json::to_string(row)? + "\n")).collect()
    }

    /// One object a prediction; a kept column has its own name, unless a prediction has it.
    fn rows(&self) -> Result<Vec<Value>> {
        let row = |(at, prediction): (usize, &Prediction)| {
            let mut row = serde_json::to_value(prediction)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions() -> Vec<Prediction> {
        let prediction = |index, row, probability, class: &str| {
            let class = class.to_owned();
            Prediction { index, row, probability, class }
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
        let answer = Answer { predictions: &all, names: &[], kept: &[] };
        let text = answer.csv().unwrap();
        assert_eq!(
            text,
            "index,row,probability,prediction\n0,2,0.1,no\n1,3,0.000000001,\"a, b\"\n\
             2,4,0.7,\"'=HYPERLINK(\"\"x\"\")\"\n3,5,0.5,-1\n"
        );
        for line in text.lines().skip(1).zip(predictions()) {
            let field = line.0.split(',').nth(2).unwrap();
            assert_eq!(field.parse::<f64>().unwrap().to_bits(), line.1.probability.to_bits());
        }
        let first = answer.jsonl().unwrap().lines().next().unwrap().to_owned();
        let read: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(read["probability"].as_f64().unwrap().to_bits(), 0.1f64.to_bits());
        assert_eq!((read["row"].as_u64(), read["prediction"].as_str()), (Some(2), Some("no")));
    }

    #[test]
    fn columns_that_are_kept_stand_beside_the_predictions() {
        let all = predictions();
        let names = ["id", "row"].map(String::from);
        let kept = [["a", "b", "=1", ""], ["w", "x", "y", "z"]];
        let kept = kept.map(|column| column.map(String::from).to_vec());
        let answer = Answer { predictions: &all, names: &names, kept: &kept };
        let text = answer.csv().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "index,row,probability,prediction,id,row");
        assert_eq!((lines[1], lines[4]), ("0,2,0.1,no,a,w", "3,5,0.5,-1,,z"));
        assert!(lines[3].ends_with(",'=1,y"), "{}", lines[3]);
        let first = &answer.rows().unwrap()[0];
        assert_eq!((&first["id"], &first["row"]), (&"a".into(), &2.into()));
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
