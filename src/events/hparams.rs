//! Sessions of TensorBoard's HPARAMS tab.
//!
//! A session is one run with its hyperparameters. TensorBoard finds the columns of the table by
//! itself: hyperparameters from the session infos, metrics from every scalar in the session's
//! folder (group ``) and in the folders below it (groups `train`, `validation`, ...), with their
//! last values. So there is no experiment message (`_hparams_/experiment`), which would have to
//! name all of them before the first run has begun.
//!
//! Therefore the session of the run `small/seed-0` belongs into an event file in `small/seed-0`
//! itself, beside `train/` and `validation/`: in `small/seed-0/train` it would have the metrics of
//! the training split alone. Sessions of one `group` are one row, with the mean of each metric; the
//! hyperparameters of that row are those of its first session, so the seed is not one of them.

use super::{EventWriter, plugin_value, tensor};
use anyhow::Result;
use protobuf::Message;
use protobuf::well_known_types::Value;
use tensorboard_proto::api::Status;
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionEndInfo, SessionStartInfo};
use tensorboard_proto::types::DataType;

/// A value in a column of hyperparameters. One name should have one kind of value in all sessions:
/// numbers can be filtered by a range, texts and flags by what they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Hyperparameter {
    /// A size, a rate.
    Number(f64),
    /// A choice, by its name.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// How a session ended; one without an end is shown as `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// Finished.
    Success,
    /// Diverged or failed.
    Failure,
}

impl EventWriter {
    /// Makes this folder a session: what distinguishes its run, and the `group` (the arm of a study)
    /// whose seeds are one row. Call it once, after [`EventWriter::replace`]. `wall_time` is the start of
    /// the run.
    pub fn hparams_session(
        &mut self,
        group: &str,
        hyperparameters: &[(impl AsRef<str>, Hyperparameter)],
        wall_time: f64,
    ) -> Result<()> {
        let mut info = SessionStartInfo::new();
        info.set_group_name(group.into());
        info.set_start_time_secs(wall_time);
        for (name, value) in hyperparameters {
            info.mut_hparams().insert(name.as_ref().to_owned(), message(value));
        }
        let mut data = HParamsPluginData::new();
        data.set_session_start_info(info);
        self.session_info("_hparams_/session_start_info", &data, wall_time)
    }

    /// Says how the session ended, in the folder (not necessarily the file) of its start.
    pub fn hparams_session_end(&mut self, end: SessionEnd, wall_time: f64) -> Result<()> {
        let mut info = SessionEndInfo::new();
        info.set_status(match end {
            SessionEnd::Success => Status::STATUS_SUCCESS,
            SessionEnd::Failure => Status::STATUS_FAILURE,
        });
        info.set_end_time_secs(wall_time);
        let mut data = HParamsPluginData::new();
        data.set_session_end_info(info);
        self.session_info("_hparams_/session_end_info", &data, wall_time)
    }

    /// The message is in the metadata; the tensor must be there, and is empty.
    fn session_info(&mut self, tag: &str, data: &HParamsPluginData, wall_time: f64) -> Result<()> {
        let empty = tensor(DataType::DT_FLOAT, &[0]);
        let value = plugin_value(tag, "hparams", data.write_to_bytes()?, empty);
        self.summary(vec![value], 0, wall_time)
    }
}

fn message(value: &Hyperparameter) -> Value {
    let mut message = Value::new();
    match value {
        Hyperparameter::Number(number) => message.set_number_value(*number),
        Hyperparameter::Text(text) => message.set_string_value(text.clone()),
        Hyperparameter::Flag(flag) => message.set_bool_value(*flag),
    }
    message
}
