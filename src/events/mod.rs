//! TensorBoard event files: scalars, text, pictures, histograms, the sessions of the HPARAMS tab, and the charts of
//! the CUSTOM SCALARS tab.
//!
//! A file is a sequence of records (length, masked CRC of the length, protobuf `Event`, masked CRC
//! of the event); `tensorboard-rs`'s `RecordWriter` frames them and returns its I/O errors. Its
//! `FileWriter` is not used: it panics on I/O errors, overwrites wall times, and two writers in one
//! folder within a second truncate each other.

mod histogram;
mod hparams;
mod layout;

pub use histogram::Histogram;
pub use hparams::{Hyperparameter, SessionEnd};
pub use layout::{Band, BandChart};

use crate::files::{self, Steady};
use anyhow::{Context, Result};
use protobuf::Message;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::summary::{
    Summary, Summary_Image, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData,
};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;

/// Writes one event file, or none.
pub struct EventWriter {
    records: Option<RecordWriter<Steady>>,
}

impl EventWriter {
    /// Writes nothing, and removes the event files of earlier sessions from a folder, which need not exist.
    pub fn none(folder: &Path) -> Result<Self> {
        let place = || format!("cannot remove event files in {}", folder.display());
        if has_events(folder)? {
            remove_others(folder, 0.0).with_context(place)?;
        }
        Ok(Self { records: None })
    }

    /// Starts the only event file of a folder: files of earlier sessions are removed, since their
    /// events are drawn again from the records. `wall_time` is in seconds since 1970 and names the
    /// file, so that a TensorBoard that watches the folder moves on to the new file and, told by
    /// the session start at step 0, forgets what it read from the old one. (Its slow reader,
    /// `--load_fast false` in TensorBoard 2.21, stays with the file that is gone.)
    pub fn replace(folder: &Path, wall_time: f64) -> Result<Self> {
        let place = || format!("cannot write event files in {}", folder.display());
        files::patiently(folder, || Self::begin_anew(folder, wall_time)).with_context(place)
    }

    fn begin_anew(folder: &Path, wall_time: f64) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(remove_others(folder, wall_time)?);
        // No file and no link has this name: a new one is made.
        Self::begin(Steady::new(File::create_new(&path)?, &path)?, wall_time)
    }

    /// As [`EventWriter::replace`], with a whole file at once. What would be the same again stays as it
    /// is, and a TensorBoard that watches the folder has nothing to read anew.
    pub fn redraw(
        folder: &Path,
        wall_time: f64,
        draw: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let replace = || -> Result<()> {
            fs::create_dir_all(folder)?;
            files::remove_temporary(folder)?;
            // TensorBoard reads no name like that of a temporary file.
            let temporary = files::temporary(folder, "events")?;
            let file = Steady::new(temporary.reopen()?, temporary.path())?;
            draw(&mut Self::begin(file, wall_time)?)?;
            temporary.as_file().sync_all()?;
            if let [only] = &event_files(folder)?[..]
                && files::read(only)? == files::read(temporary.path())?
            {
                return Ok(());
            }
            temporary.persist(folder.join(remove_others(folder, wall_time)?))?;
            Ok(())
        };
        replace().with_context(|| format!("cannot write event files in {}", folder.display()))
    }

    /// A file begins with its version and a session, at whose start TensorBoard forgets what it knew.
    fn begin(file: Steady, wall_time: f64) -> Result<Self> {
        let mut writer = Self { records: Some(RecordWriter::new(file)) };
        let mut version = Event::new();
        version.set_file_version("brain.Event:2".into());
        writer.write(version, 0, wall_time)?;
        let mut session = SessionLog::new();
        session.set_status(SessionLog_SessionStatus::START);
        let mut start = Event::new();
        start.set_session_log(session);
        writer.write(start, 0, wall_time)?;
        Ok(writer)
    }

    /// Adds one point of each named curve.
    pub fn scalars(
        &mut self,
        points: &[(impl AsRef<str>, f64)],
        step: i64,
        wall_time: f64,
    ) -> Result<()> {
        let values = points.iter().map(|(tag, value)| {
            let mut point = Summary_Value::new();
            point.set_tag(tag.as_ref().to_owned());
            point.set_simple_value(*value as f32);
            point
        });
        self.summary(values.collect(), step, wall_time)
    }

    /// Adds a text, which TensorBoard shows as Markdown.
    pub fn text(&mut self, tag: &str, markdown: &str, step: i64, wall_time: f64) -> Result<()> {
        // A list of texts, even of one, would be shown as a table.
        let mut tensor = tensor(DataType::DT_STRING, &[]);
        tensor.mut_string_val().push(markdown.as_bytes().to_vec());
        self.summary(vec![plugin_value(tag, "text", Vec::new(), tensor)], step, wall_time)
    }

    /// Adds a picture: a PNG of this width and height.
    pub fn image(
        &mut self,
        tag: &str,
        png: Vec<u8>,
        [width, height]: [u32; 2],
        step: i64,
        wall_time: f64,
    ) -> Result<()> {
        const RGBA: i32 = 4;
        let mut image = Summary_Image::new();
        image.set_width(i32::try_from(width)?);
        image.set_height(i32::try_from(height)?);
        image.set_colorspace(RGBA);
        image.set_encoded_image_string(png);
        let mut value = Summary_Value::new();
        value.set_tag(tag.into());
        value.set_image(image);
        self.summary(vec![value], step, wall_time)
    }

    fn summary(&mut self, values: Vec<Summary_Value>, step: i64, wall_time: f64) -> Result<()> {
        let mut summary = Summary::new();
        summary.set_value(values.into());
        let mut event = Event::new();
        event.set_summary(summary);
        self.write(event, step, wall_time)
    }

    fn write(&mut self, mut event: Event, step: i64, wall_time: f64) -> Result<()> {
        let Some(records) = &mut self.records else { return Ok(()) };
        event.set_step(step);
        event.set_wall_time(wall_time);
        records.write(&event.write_to_bytes()?)?;
        Ok(records.flush()?)
    }
}

const PREFIX: &str = "events.out.tfevents.";

/// Whether there are event files in a folder, which need not exist.
pub fn has_events(folder: &Path) -> Result<bool> {
    Ok(folder.is_dir() && !event_files(folder)?.is_empty())
}

/// Those of a folder, not of the folders in it.
fn event_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if started(&path).is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The time in the name of an event file; 0 where there is something else.
fn started(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_string_lossy();
    let rest = name.strip_prefix(PREFIX)?;
    Some(rest.split('.').next().and_then(|time| time.parse().ok()).unwrap_or(0))
}

/// Removes the event files of a folder, and names one that comes after them.
fn remove_others(folder: &Path, wall_time: f64) -> Result<String> {
    let mut newest = 0;
    for path in event_files(folder)? {
        newest = newest.max(started(&path).unwrap_or(0));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let started = (wall_time as u64).max(newest + 1);
    Ok(format!("{PREFIX}{started:010}.batchscope"))
}

/// An empty tensor of this type and shape.
fn tensor(kind: DataType, sizes: &[i64]) -> TensorProto {
    let mut shape = TensorShapeProto::new();
    for size in sizes {
        let mut dim = TensorShapeProto_Dim::new();
        dim.set_size(*size);
        shape.mut_dim().push(dim);
    }
    let mut tensor = TensorProto::new();
    tensor.set_dtype(kind);
    tensor.set_tensor_shape(shape);
    tensor
}

/// A tensor that one of TensorBoard's plugins shows; `content` is the plugin's own message.
fn plugin_value(tag: &str, plugin: &str, content: Vec<u8>, tensor: TensorProto) -> Summary_Value {
    let mut data = SummaryMetadata_PluginData::new();
    data.set_plugin_name(plugin.into());
    data.set_content(content);
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(data);
    let mut value = Summary_Value::new();
    value.set_tag(tag.into());
    value.set_metadata(metadata);
    value.set_tensor(tensor);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_new_session_replaces_the_files_of_the_old_one_under_a_later_name() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            EventWriter::replace(folder.path(), 5.0).unwrap();
        }
        assert_eq!(names(folder.path()), ["events.out.tfevents.0000000006.batchscope"]);
    }

    #[test]
    fn where_nothing_is_drawn_any_more_the_files_of_earlier_sessions_go() {
        let folder = tempfile::tempdir().unwrap();
        EventWriter::none(&folder.path().join("gone")).unwrap();
        EventWriter::replace(folder.path(), 5.0).unwrap();
        assert!(has_events(folder.path()).unwrap());
        let mut none = EventWriter::none(folder.path()).unwrap();
        none.text("said", "a", 0, 5.0).unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_drawn_again_stays_unless_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let draw = |text: &str| {
            EventWriter::redraw(folder.path(), 5.0, |events| events.text("said", text, 0, 5.0))
        };
        for (text, started) in [("a", 5), ("a", 5), ("b", 6)] {
            draw(text).unwrap();
            let name = format!("events.out.tfevents.{started:010}.batchscope");
            assert_eq!(names(folder.path()), [name]);
        }
        let failed = EventWriter::redraw(folder.path(), 5.0, |_| anyhow::bail!("no room"));
        assert!(format!("{:#}", failed.unwrap_err()).contains("no room"));
        assert_eq!(names(folder.path()), ["events.out.tfevents.0000000006.batchscope"]);
    }
}
