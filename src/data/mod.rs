//! Examples: from the user's file to sequences in splits, prepared once and shared.
//!
//! [`prepare()`] reads, tokenises and splits, and writes the result to one file named by the hash
//! of everything that it depends on; [`Dataset::open`] maps that file, so that all worker processes
//! of a study read the same memory. Text becomes rows of token ids; with `mask_zero` the padding is
//! left out, since an LSTM that holds its state there computes the same without it.

mod account;
mod arrays;
mod baseline;
mod coarse;
mod constant;
mod dataset;
mod digit_dates;
mod doubtful;
mod encoder;
mod facts;
mod found;
mod guard;
mod holes;
mod keep;
mod labels;
mod moment;
mod overlap;
mod peek;
mod pool;
mod prepare;
mod scale;
mod scaling;
mod series;
mod source;
mod spelling;
mod split;
mod split_rules;
mod table;
mod text;
mod untrained;
mod warnings;

pub use account::{Account, LeftOut};
pub use dataset::Dataset;
pub use doubtful::Doubtful;
pub use encoder::{Encoded, Encoder, Inputs};
pub use facts::{Facts, InTraining, Overlap, SplitFacts, TargetFacts};
pub use found::Found;
pub use holes::Holes;
pub use keep::{kept_facts, kept_hash, kept_vocabulary};
pub use labels::FEW_NUMBERS;
pub use moment::is_time;
pub use peek::{
    ArrayShape, Column, Contents, Labelled, PeekedTable, is_split, labelled, peek, word_counts,
};
pub use prepare::{Prepared, find, prepare};
pub use scale::{Range, Scale};
pub use scaling::Scaling;
pub use series::Windows;
pub use spelling::{AlikeGroups, are_with_commas};
pub use table::text_lines;
